"""Whose turn it is to release a post."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.turns import Due, in_turn

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def due(profile_id: str, minute: int = 0, server: str = "one") -> Due:
    at = NOON + timedelta(minutes=minute)
    return Due(profile_id=profile_id, account_id=1, server=server, due_at=at)


def test_a_server_has_one_turn_and_the_earliest_due_goes_first() -> None:
    assert in_turn([due("late", 5), due("early", 1)], {}) == [due("early", 1)]


def test_a_profile_with_a_backlog_waits_for_one_that_had_no_turn_lately() -> None:
    backlog, single = due("backlog", 0), due("single", 5)
    assert in_turn([backlog, single], {"backlog": 7.0}) == [single]
    assert in_turn([backlog, single], {"backlog": 7.0, "single": 8.0}) == [backlog]


def test_a_quick_server_has_as_many_turns_as_it_bears() -> None:
    rows = [due("c", 3), due("a", 1), due("b", 2)]
    assert [one.profile_id for one in in_turn(rows, {}, each=2)] == ["a", "b"]


def test_servers_are_gone_through_by_what_is_due_first() -> None:
    rows = [due("b", 2, "two"), due("a", 1, "one"), due("c", 0, "three")]
    assert [one.profile_id for one in in_turn(rows, {})] == ["c", "a", "b"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("xyz")), max_size=20))
def test_everyone_has_had_a_turn_after_as_many_as_there_are(pairs: list[tuple[str, str]]) -> None:
    rows = [due(profile, 0, server) for profile, server in dict(pairs).items()]
    served: dict[str, float] = {}
    for turn in range(len(rows)):
        served |= {one.profile_id: float(turn + 1) for one in in_turn(rows, served)}
    assert set(served) == {one.profile_id for one in rows}
