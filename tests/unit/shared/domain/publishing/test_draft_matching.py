"""Which drafts of a call whose reply was lost are whose."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.publishing.draft_matching import (
    find_adoptable,
    match_drafts,
    may_await_draft,
    next_look_at,
)
from shared.domain.publishing.fingerprint import normalize_content
from shared.domain.publishing.restore_matching import Ours, Theirs

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def ours(number: int, fingerprint: str = "a", whole: str = "w") -> Ours:
    return Ours(post_id=number, fingerprint=fingerprint, whole=whole, publish_at=NOON)


def theirs(name: str, fingerprint: str = "a") -> Theirs:
    return Theirs(postiz_id=name, fingerprint=fingerprint, publish_at=NOON)


def matched(mine: list[Ours], there: list[Theirs]) -> dict[int, str]:
    found = match_drafts(mine, there, find_adoptable(mine))
    return {number: other.postiz_id for number, other in found.items()}


def test_each_draft_goes_to_the_post_that_it_looks_like() -> None:
    mine = [ours(1, "a"), ours(2, "b"), ours(3, "c")]
    assert matched(mine, [theirs("y", "b"), theirs("x", "a"), theirs("z", "other")]) == {
        1: "x",
        2: "y",
    }


def test_the_same_post_twice_has_two_drafts_and_a_third_is_nobodys() -> None:
    mine = [ours(1), ours(2)]
    assert matched(mine, [theirs("x"), theirs("y"), theirs("z")]) == {1: "x", 2: "y"}
    assert matched(mine, [theirs("x")]) == {1: "x"}


def test_what_only_differs_in_what_postiz_does_not_show_is_not_told_apart() -> None:
    """One caption for many clips: which draft has which of them nobody knows."""
    mine = [ours(1, whole="clip 1"), ours(2, whole="clip 2"), ours(3, "b")]
    assert matched(mine, [theirs("x"), theirs("y"), theirs("z", "b")]) == {3: "z"}


def test_one_of_two_that_look_alike_is_not_told_apart_when_the_other_was_taken_back() -> None:
    call = [ours(1, whole="clip 1"), ours(2, whole="clip 2")]
    assert match_drafts(call[:1], [theirs("x")], find_adoptable(call)) == {}


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abcd")))
def test_no_draft_is_adopted_twice_and_none_that_looks_different(
    mine: list[str], there: list[str]
) -> None:
    posts = [ours(number, fingerprint) for number, fingerprint in enumerate(mine)]
    drafts = [theirs(str(number), fingerprint) for number, fingerprint in enumerate(there)]
    found = match_drafts(posts, drafts, find_adoptable(posts))
    assert len({other.postiz_id for other in found.values()}) == len(found)
    assert all(posts[number].fingerprint == other.fingerprint for number, other in found.items())
    for fingerprint in "abc":
        adopted = sum(other.fingerprint == fingerprint for other in found.values())
        assert adopted == min(mine.count(fingerprint), there.count(fingerprint))


def test_a_thread_is_never_adopted_nor_what_looks_like_its_first_part() -> None:
    """Postiz writes it part by part, and shows the first one."""
    thread, plain = replace(ours(1, "x"), is_thread=True), ours(2, "y")
    assert find_adoptable([thread, plain]) == ["y"]
    assert find_adoptable([thread, ours(3, "x")]) == []


def test_only_posts_that_have_time_wait_for_a_request_that_may_still_run() -> None:
    later, soon = NOON + timedelta(hours=1), NOON + timedelta(minutes=1)
    running = NOON + timedelta(seconds=60)
    assert may_await_draft(later, NOON, may_run_until=running)
    assert not may_await_draft(soon, NOON, may_run_until=running)
    assert not may_await_draft(later, NOON, may_run_until=NOON)


def test_looks_come_later_and_later_and_the_last_one_when_nothing_more_is_expected() -> None:
    sent_at, until = NOON - timedelta(seconds=20), NOON + timedelta(seconds=70)
    assert next_look_at(NOON, sent_at, may_run_until=until) == NOON + timedelta(seconds=10)
    late = until - timedelta(seconds=5)
    assert next_look_at(late, sent_at, may_run_until=until) == until
    assert next_look_at(NOON, NOON, may_run_until=until) == NOON + timedelta(seconds=3)


def test_content_with_the_number_of_no_character_has_a_look_too() -> None:
    long = f"a&#{'9' * 5000};b"
    assert normalize_content(long) == normalize_content(long.replace("&", "&amp;")) == "ab"
