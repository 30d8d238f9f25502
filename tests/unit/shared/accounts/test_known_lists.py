"""Who asks for an account's integrations, and when."""

from shared.accounts import known_lists
from shared.accounts.known_lists import FRESH_SECONDS, RECENT_SECONDS, KnownLists


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_one_asks_for_all_and_nobody_while_the_list_is_fresh() -> None:
    clock = Clock()
    lists = KnownLists(clock)
    assert [lists.take_turn(1), lists.take_turn(1), lists.take_turn(2)] == [True, False, True]
    assert not lists.is_recent(1), "it was asked for, and has not come"
    clock.now += FRESH_SECONDS - 1
    lists.note_listed(1)
    clock.now += 2
    assert (lists.is_fresh(1), lists.take_turn(1), lists.take_turn(2)) == (True, False, True)
    clock.now += FRESH_SECONDS
    assert (lists.is_fresh(1), lists.is_recent(1), lists.take_turn(1)) == (False, True, True)
    clock.now += RECENT_SECONDS
    assert not lists.is_recent(1)


def test_after_settings_change_nothing_is_known() -> None:
    lists = KnownLists(Clock())
    lists.note_listed(1)
    lists.reset()
    assert (lists.is_recent(1), lists.take_turn(1)) == (False, True)


def test_what_is_remembered_is_bounded() -> None:
    lists = KnownLists(Clock())
    for account_id in range(known_lists._REMEMBERED + 5):
        lists.note_listed(account_id)
    assert len(lists._listed_at) == 5
    assert lists.take_turn(0)
