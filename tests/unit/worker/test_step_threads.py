"""A step that hangs is left to its thread, and holds only its account's places."""

import threading
from collections.abc import Iterator

import pytest
import structlog
from structlog.contextvars import bound_contextvars, get_contextvars

from shared.errors import ClaimLost
from tests.timing.patience import PATIENCE, wait_until
from worker import step_threads
from worker.runtime import Runtime
from worker.step_threads import PLACES, StepThreads

HANGS, OTHER = 1, 2
NO_RUNTIME: Runtime = None  # type: ignore[assignment]  # it needs none


@pytest.fixture
def let_go() -> threading.Event:
    return threading.Event()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, let_go: threading.Event) -> Iterator[StepThreads]:
    monkeypatch.setattr(step_threads, "UNSURE_WAIT_SECONDS", 0.05)
    threads = StepThreads(NO_RUNTIME)
    yield threads
    let_go.set()
    threads.close()


def test_a_step_that_hangs_holds_only_places_of_its_account(
    steps: StepThreads, let_go: threading.Event
) -> None:
    ended: list[int] = []

    def hang() -> None:
        assert let_go.wait(PATIENCE)
        ended.append(HANGS)

    assert [steps.run(HANGS, hang) for _ in range(PLACES.unsure + 2)] == [True] * PLACES.unsure + [
        False,
        False,
    ]
    assert steps.run(OTHER, lambda: ended.append(OTHER))
    assert ended == [OTHER]
    let_go.set()
    wait_until(lambda: ended == [OTHER] + [HANGS] * PLACES.unsure)
    wait_until(lambda: not steps._under_way)
    assert steps.run(HANGS, lambda: None)


def test_accounts_that_hang_leave_places_to_those_that_answer(
    steps: StepThreads, let_go: threading.Event
) -> None:
    def hang() -> None:
        assert let_go.wait(PATIENCE)

    assert steps.run(OTHER, lambda: None)
    hung = [steps.run(100 + number, hang) for number in range(PLACES.total)]
    assert hung.count(True) == PLACES.all_unsure
    done: list[int] = []
    assert steps.run(OTHER, lambda: done.append(OTHER))
    assert done == [OTHER]


def test_an_error_of_a_step_is_raised_and_a_late_one_logged(
    steps: StepThreads, let_go: threading.Event
) -> None:
    def fail() -> None:
        raise ClaimLost("of the test")

    def fail_late() -> None:
        assert let_go.wait(PATIENCE)
        raise KeyError("of the test")

    with pytest.raises(ClaimLost):
        steps.run(OTHER, fail)
    with structlog.testing.capture_logs() as lines:
        assert steps.run(HANGS, fail_late)
        let_go.set()
        wait_until(lambda: bool(lines))
    assert [(line["event"], line["account"]) for line in lines] == [("a step failed late", HANGS)]


def test_a_step_logs_under_the_name_of_its_task(steps: StepThreads) -> None:
    seen: list[object] = []
    with bound_contextvars(task="pressroom.stage"):
        steps.run(OTHER, lambda: seen.append(get_contextvars()["task"]))
    assert seen == ["pressroom.stage"]
