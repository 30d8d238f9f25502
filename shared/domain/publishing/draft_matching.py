"""Adopting: which drafts, of those that a call of unknown end created, are whose; pure.

Postiz shows the content and the channel of a draft, not its media, and tells no order. So where
several elements of a call look alike there and are not the same, nobody can tell which is which.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from shared.domain.publishing.restore_matching import Ours, Theirs

#: A call that was given up is looked at after so long, and then half as long after as it is old.
FIRST_LOOK = timedelta(seconds=3)
#: What is due so soon does not wait for a request that may still be running.
SOON = timedelta(minutes=3)


def find_adoptable(ours: Iterable[Ours]) -> list[str]:
    """The looks that stand for one content, with one set of media and settings, in this call."""
    wholes: dict[str, set[str]] = defaultdict(set)
    for post in ours:
        wholes[post.look].add(post.whole)
    return [look for look, contents in wholes.items() if len(contents) == 1]


def match_drafts(
    ours: Sequence[Ours], theirs: Sequence[Theirs], adoptable: Iterable[str]
) -> Mapping[int, Theirs]:
    """By the number of a post, what Postiz has of it; each of `theirs` once, in the order given.

    What is left over is litter: a proxy repeated the call, or nobody waits for it any more.
    """
    drafts: dict[str, list[Theirs]] = defaultdict(list)
    for draft in theirs:
        drafts[draft.look].append(draft)
    found: dict[int, Theirs] = {}
    for post in ours:
        if post.look in adoptable and drafts[post.look]:
            found[post.post_id] = drafts[post.look].pop(0)
    return found


def may_await_draft(publish_at: datetime, now: datetime, *, may_run_until: datetime) -> bool:
    """Whether a post that is not there yet waits for the request, rather than be staged anew."""
    return now < may_run_until and publish_at > now + SOON


def next_look_at(now: datetime, sent_at: datetime, *, may_run_until: datetime) -> datetime:
    """The next moment at which the rest may be there, and the last one in any case."""
    return min(now + max(FIRST_LOOK, (now - sent_at) / 2), max(now, may_run_until))
