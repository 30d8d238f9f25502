"""The last check before the first byte: what it refuses, and that many calls share one question."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, update

from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, Paused, PressroomError, SettingsChanged
from shared.models import Profile
from tests.factories.rows import Rows
from tests.timing.patience import PATIENCE, wait_until
from worker.releasing.last_check import LastCheck, ReleaseCheck
from worker.runtime import Runtime

CLAIM, MANY = 41, 12


def releasing(rows: Rows, count: int = 1) -> list[ReleaseCheck]:
    """Posts under a claim, with the settings that are current."""
    ids = rows.posts(PostState.RELEASING, count)
    with rows.database.transaction() as session:
        rows.change_posts(ids, claim=CLAIM)
        leased = "UPDATE posts SET lease_until = now() + interval '1 hour' WHERE claim = %s"
        session.connection().exec_driver_sql(leased, (CLAIM,))
    url = f"{rows.server}/public/v1"
    return [ReleaseCheck(post_id=each, claim=CLAIM, version=1, base_url=url) for each in ids]


@contextmanager
def first_question_held(runtime: Runtime) -> Iterator[tuple[threading.Event, list[str]]]:
    """The first question waits before it is asked, until the event; the list: what was asked."""
    let_go, asked = threading.Event(), list[str]()

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if "settings_version" in statement:
            asked.append(statement)
            if len(asked) == 1:
                assert let_go.wait(PATIENCE)

    event.listen(runtime.database.engine, "after_cursor_execute", note)
    try:
        yield let_go, asked
    finally:
        let_go.set()
        event.remove(runtime.database.engine, "after_cursor_execute", note)


def test_current_settings_and_a_claim_of_our_own_are_allowed(runtime: Runtime, rows: Rows) -> None:
    [check] = releasing(rows)
    LastCheck(runtime.database).require_allowed(check)


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"claim": CLAIM + 1}, ClaimLost),
        ({"version": 2}, SettingsChanged),
        ({"base_url": "https://elsewhere.example/public/v1"}, SettingsChanged),
    ],
)
def test_another_claim_and_other_settings_are_refused(
    runtime: Runtime, rows: Rows, values: dict[str, Any], refusal: type[PressroomError]
) -> None:
    [check] = releasing(rows)
    with pytest.raises(refusal):
        LastCheck(runtime.database).require_allowed(replace(check, **values))


def test_an_account_that_the_profile_has_left_is_refused(runtime: Runtime, rows: Rows) -> None:
    [check] = releasing(rows)
    with rows.database.transaction() as session:
        left = update(Profile).where(Profile.id == rows.profile_id)
        session.execute(left.values(account_id=None))
    with pytest.raises(SettingsChanged):
        LastCheck(runtime.database).require_allowed(check)


def test_many_calls_share_a_question_and_each_gets_its_own_answer(
    runtime: Runtime, rows: Rows
) -> None:
    first, *others = releasing(rows, MANY)
    lost = {others[0].post_id, others[5].post_id}
    rows.change_posts(sorted(lost), claim=CLAIM + 1)
    last_check = LastCheck(runtime.database)
    with first_question_held(runtime) as (let_go, asked), ThreadPoolExecutor(MANY) as threads:
        answers = [threads.submit(last_check.require_allowed, first)]
        wait_until(lambda: len(asked) == 1)
        answers += [threads.submit(last_check.require_allowed, check) for check in others]
        wait_until(lambda: len(last_check._waiting) == len(others))
        let_go.set()
        refused = {
            check.post_id
            for check, answer in zip([first, *others], answers, strict=True)
            if isinstance(answer.exception(PATIENCE), ClaimLost)
        }
    assert refused == lost
    assert len(asked) == 2


def test_an_answer_is_never_older_than_its_question(runtime: Runtime, rows: Rows) -> None:
    """A pause that was committed before a call asks holds it back, whatever is under way."""
    first, second = releasing(rows, 2)
    last_check = LastCheck(runtime.database)
    with first_question_held(runtime) as (let_go, asked), ThreadPoolExecutor(2) as threads:
        allowed = threads.submit(last_check.require_allowed, first)
        wait_until(lambda: len(asked) == 1)
        rows.change_account(paused=True)
        held = threads.submit(last_check.require_allowed, second)
        wait_until(lambda: len(last_check._waiting) == 1)
        let_go.set()
        assert allowed.exception(PATIENCE) is None
        assert isinstance(held.exception(PATIENCE), Paused)


def test_an_error_of_the_database_is_raised_for_all_that_asked(
    runtime: Runtime, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = releasing(rows, 2)
    last_check = LastCheck(runtime.database)

    def fail(_: object) -> None:
        raise KeyError("of the test")

    monkeypatch.setattr(last_check, "_read_rows", fail)
    for check in checks:
        with pytest.raises(KeyError):
            last_check.require_allowed(check)


def test_who_was_answered_waits_for_no_later_question(runtime: Runtime, rows: Rows) -> None:
    """Its answer would grow old meanwhile."""
    first, second, third = releasing(rows, 3)
    last_check = LastCheck(runtime.database)
    holds = [threading.Event(), threading.Event()]
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if "settings_version" in statement:
            asked.append(statement)
            assert holds[len(asked) - 1].wait(PATIENCE) if len(asked) <= 2 else True

    event.listen(runtime.database.engine, "after_cursor_execute", note)
    try:
        with ThreadPoolExecutor(3) as threads:
            opening = threads.submit(last_check.require_allowed, first)
            wait_until(lambda: len(asked) == 1)
            others = [threads.submit(last_check.require_allowed, one) for one in (second, third)]
            wait_until(lambda: len(last_check._waiting) == 2)
            holds[0].set()
            wait_until(lambda: len(asked) == 2)
            assert opening.exception(PATIENCE) is None  # though the next question is under way
            holds[1].set()
            assert [each.exception(PATIENCE) for each in others] == [None, None]
    finally:
        for hold in holds:
            hold.set()
        event.remove(runtime.database.engine, "after_cursor_execute", note)


def test_who_gets_to_run_late_asks_again(
    runtime: Runtime, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    [check] = releasing(rows)
    last_check = LastCheck(runtime.database)
    answer, delays = last_check._answer, iter([0.2, 0.0])

    def answer_late(questions: Sequence[Any]) -> None:
        answer(questions)
        time.sleep(next(delays))
        rows.change_account(paused=True)

    monkeypatch.setattr(last_check, "_answer", answer_late)
    with pytest.raises(Paused, match="held back"):
        last_check.require_allowed(check)


def test_a_process_that_never_runs_in_time_sends_nothing(
    runtime: Runtime, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    [check] = releasing(rows)
    monkeypatch.setattr("worker.releasing.last_check.FRESH_SECONDS", 0.0)
    with pytest.raises(Paused, match="too busy"):
        LastCheck(runtime.database).require_allowed(check)
