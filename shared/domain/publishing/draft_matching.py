"""Matches drafts, created by a call whose outcome is unknown, to the posts of the call; pure.

Postiz shows the content and the channel of a draft, not its media, and in no known order. So posts
of a call that look alike there but differ cannot be told apart. Of a thread it shows the first part
alone, and writes the parts one by one: whether all of them are there cannot be seen.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from shared.domain.publishing.restore_matching import Ours, Theirs

#: When to look first after a call was given up. Each later look waits half of the call's age.
FIRST_LOOK = timedelta(seconds=3)
#: A post that is due this soon does not wait for a request that may still be running.
SOON = timedelta(minutes=3)


def find_adoptable(ours: Iterable[Ours]) -> list[str]:
    """The fingerprints of this call that only one content with its media and settings has, and that
    are no threads."""
    wholes: dict[str, set[str]] = defaultdict(set)
    threads: set[str] = set()
    for post in ours:
        wholes[post.fingerprint].add(post.whole)
        threads.update([post.fingerprint] if post.is_thread else ())
    return [
        fingerprint
        for fingerprint, contents in wholes.items()
        if len(contents) == 1 and fingerprint not in threads
    ]


def match_drafts(
    ours: Sequence[Ours], theirs: Sequence[Theirs], adoptable: Iterable[str]
) -> Mapping[int, Theirs]:
    """The draft of each post, by post id; each of `theirs` is used once, in the given order.

    The drafts left over are orphans: a proxy repeated the call, or no post waits for them any more.
    """
    drafts: dict[str, list[Theirs]] = defaultdict(list)
    for draft in theirs:
        drafts[draft.fingerprint].append(draft)
    found: dict[int, Theirs] = {}
    for post in ours:
        if post.fingerprint in adoptable and drafts[post.fingerprint]:
            found[post.post_id] = drafts[post.fingerprint].pop(0)
    return found


def may_await_draft(publish_at: datetime, now: datetime, *, may_run_until: datetime) -> bool:
    """Whether a post that has no draft yet waits for the request, instead of being staged again."""
    return now < may_run_until and publish_at > now + SOON


def next_look_at(now: datetime, sent_at: datetime, *, may_run_until: datetime) -> datetime:
    """When to look for the missing drafts again; at the latest when the request must have ended."""
    return min(now + max(FIRST_LOOK, (now - sent_at) / 2), max(now, may_run_until))
