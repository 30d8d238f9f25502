"""Threads: what some posts of the load have under them, and whether all of it was sent.

A part says which post's it is, in which revision, and which one it is, so that what was sent can be
compared with the first part.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.domain.publishing.states import PostState
from shared.models import Post
from tests.chaos.people import EDITED

#: One post in so many has something under it: the more, a thread or a comment by turns.
EVERY = 4


def parts_of(content: str, count: int) -> list[str]:
    """The texts of the parts after the first one, which says `content`."""
    return [f"{content} / {number}" for number in range(2, count + 2)]


def thread_fields(index: int, content: str, media: Sequence[str], *, delay: int) -> dict[str, Any]:
    """What the item at `index` of a bulk has under it: often nothing. `delay`: minutes before the
    last part."""
    if index % EVERY:
        return {}
    if index % (2 * EVERY):
        [comment] = parts_of(content, 1)
        return {"first_comment": comment}
    return {"thread": thread_of(content, 2 + index % 3, media, delay=delay)}


def thread_of(
    content: str, count: int, media: Sequence[str] = (), *, delay: int = 0
) -> list[dict[str, Any]]:
    """The first of them with a medium, the last one so many minutes later."""
    parts: list[dict[str, Any]] = [{"caption": text} for text in parts_of(content, count)]
    parts[-1]["delay_minutes"] = delay
    if media:
        parts[0]["media_ids"] = list(media[:1])
    return parts


def broken_threads(
    posts: Iterable[Post],
    owner: Mapping[str, int],
    sends: Iterable[Mapping[str, Any]],
    parts: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[str, int | None]]:
    """What was sent of a thread but not once, in its order and in its revision; what is missing of
    one that is published; and the post concerned. `owner`: of ids in Postiz."""
    by_id = {post.id: post for post in posts}
    below: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        below[part["post"]].append(part["content"])
    firsts = {send["post"]: send["content"] for send in sends}
    for postiz_id in below.keys() - firsts.keys():
        yield f"parts were sent of {postiz_id}, and not the first one", owner.get(postiz_id)
    for postiz_id, first in firsts.items():
        post, told = by_id.get(owner.get(postiz_id, 0)), below[postiz_id]
        if post is None:
            continue
        expected = parts_of(first.removesuffix(EDITED), len(post.thread))
        is_current = postiz_id == post.postiz_post_id
        if told != expected[: len(told)]:
            yield f"under {first!r} was sent {told}", post.id
        elif is_current and post.state == PostState.PUBLISHED and told != expected:
            yield f"is published, and of {expected} was sent {told}", post.id
