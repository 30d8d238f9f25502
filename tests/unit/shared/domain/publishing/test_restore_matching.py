"""Which of our posts Postiz has, where the database forgot: never one that may be live is free."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.publishing.restore_matching import (
    FoundInPostiz,
    Ours,
    Theirs,
    Unclear,
    match_posts,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ours(number: int, fingerprint: str = "a", whole: str = "w", minutes: int = 0) -> Ours:
    return Ours(
        post_id=number,
        fingerprint=fingerprint,
        whole=whole,
        publish_at=NOON + timedelta(minutes=minutes),
    )


def theirs(name: str, fingerprint: str = "a", minutes: float = -300.5) -> Theirs:
    at = NOON + timedelta(minutes=minutes, milliseconds=123)
    return Theirs(postiz_id=name, fingerprint=fingerprint, publish_at=at)


def told(mine: list[Ours], there: list[Theirs]) -> dict[int, str]:
    verdicts = match_posts(mine, there)
    return {
        number: one.theirs.postiz_id if isinstance(one, FoundInPostiz) else "unclear"
        for number, one in verdicts.items()
    }


@pytest.mark.parametrize(
    ("mine", "there", "expected"),
    [
        ([ours(1)], [], {}),
        ([ours(1)], [theirs("x")], {1: "x"}),
        ([ours(1)], [theirs("x", fingerprint="b")], {}),
        # a calendar's date tells them apart, whatever is in them
        ([ours(1, whole="v"), ours(2, minutes=5)], [theirs("x", minutes=5)], {2: "x"}),
        # and where even the date is the same, nothing does
        (
            [ours(1, whole="v", minutes=5), ours(2, minutes=5)],
            [theirs("x", minutes=5)],
            {1: "unclear", 2: "unclear"},
        ),
        # all alike: the earliest due went first
        ([ours(1, minutes=5), ours(2)], [theirs("x")], {2: "x"}),
        # alike from outside, and not the same inside
        ([ours(1, whole="v"), ours(2)], [theirs("x")], {1: "unclear", 2: "unclear"}),
        # as many there as here: each of them is there
        ([ours(1, whole="v"), ours(2)], [theirs("x"), theirs("y")], {1: "x", 2: "y"}),
        # more there than here: some of theirs we never knew
        ([ours(1)], [theirs("x"), theirs("y")], {1: "x"}),
    ],
)
def test_what_is_known_of_each_post(
    mine: list[Ours], there: list[Theirs], expected: dict[int, str]
) -> None:
    assert told(mine, there) == expected


looks = st.sampled_from("ab")
some_ours = st.lists(
    st.builds(
        lambda fingerprint, whole, minutes: (fingerprint, whole, minutes),
        looks,
        st.sampled_from("vw"),
        st.integers(-3, 3),
    ),
    max_size=7,
)


def _date(one: Ours, calendar: bool) -> float:
    return (one.publish_at - NOON).total_seconds() / 60 if calendar else -300.5


@given(posts=some_ours, sent=st.sets(st.integers(0, 6)), calendar=st.booleans())
def test_whatever_was_sent_is_never_free_to_be_sent_again(
    posts: list[tuple[str, str, int]], sent: set[int], calendar: bool
) -> None:
    """Each post that Postiz has is found, unclear, or stands in for one that is the same."""
    mine = [
        ours(number, fingerprint, whole, minutes)
        for number, (fingerprint, whole, minutes) in enumerate(posts)
    ]
    went = [one for one in mine if one.post_id in sent]
    there = [theirs(str(one.post_id), one.fingerprint) for one in went]
    verdicts = match_posts(mine, there)
    for one in went:
        alike = [
            other
            for other in mine
            if (other.fingerprint, other.whole) == (one.fingerprint, one.whole)
        ]
        kept = [other for other in alike if other.post_id in verdicts]
        assert len(kept) >= len([other for other in went if other in alike])
    assert all(isinstance(verdict, FoundInPostiz | Unclear) for verdict in verdicts.values())
