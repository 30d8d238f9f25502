"""The audit of threads: it must find what is missing, repeated, in another order or revision."""

from typing import Any

import pytest

from shared.models import Post
from tests.chaos.threads import broken_threads, parts_of, thread_fields

PARTS = parts_of("clip", 3)


def found(told: list[str], *, first: str = "clip", state: str = "published") -> list[str]:
    post = Post(id=7, state=state, postiz_post_id="root", thread=[{}] * 3)
    sends = [{"post": "root", "content": first}]
    parts = [{"post": "root", "content": content} for content in told]
    return [what for what, _ in broken_threads([post], {"root": 7}, sends, parts)]


@pytest.mark.parametrize(
    ("told", "state"),
    [(PARTS, "published"), (PARTS[:2], "failed"), ([], "scheduled"), (PARTS, "failed")],
)
def test_what_was_sent_once_and_in_order_is_well(told: list[str], state: str) -> None:
    assert found(told, state=state) == []


@pytest.mark.parametrize(
    ("told", "first"),
    [
        (PARTS[:2], "clip"),
        (PARTS[1:], "clip"),
        ([*PARTS, PARTS[2]], "clip"),
        ([PARTS[0], PARTS[0], *PARTS[1:]], "clip"),
        ([PARTS[1], PARTS[0], PARTS[2]], "clip"),
        (PARTS, "clip (revision 4)"),
        (parts_of("clip", 4), "clip"),
    ],
)
def test_what_is_missing_repeated_moved_or_of_another_revision_is_found(
    told: list[str], first: str
) -> None:
    assert len(found(told, first=first)) == 1


def test_parts_without_their_first_one_are_found() -> None:
    parts: list[dict[str, Any]] = [{"post": "root", "content": "clip / 2"}]
    assert len(list(broken_threads([], {}, [], parts))) == 1


def test_the_load_has_threads_and_comments_and_posts_alone() -> None:
    kinds = [tuple(thread_fields(index, "clip", ["1"], delay=1)) for index in range(16)]
    assert {kinds.count(("thread",)), kinds.count(("first_comment",))} == {2}
    thread = thread_fields(8, "clip", ["1"], delay=1)["thread"]
    assert [part["caption"] for part in thread] == parts_of("clip", len(thread))
