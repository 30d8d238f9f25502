"""What an attempt to deliver means for the next, as tables."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.publishing.states import TRANSITIONS, PostState
from shared.domain.webhook_retries import (
    EVENTS,
    JITTER,
    LONGEST_REST,
    MAX_ATTEMPTS,
    PATIENCE,
    WAITS,
    Answer,
    Verdict,
    event_of,
    judge_attempt,
)
from worker.webhooks.delivery_attempt import body_of, parse_retry_after

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def judged(
    answer: Answer, *, attempt: int = 1, failures: int = 1, failing_for: timedelta = timedelta(0)
) -> Verdict:
    return judge_attempt(
        answer,
        attempt=attempt,
        failures=failures,
        failing_for=failing_for,
        rng=random.Random(7),
    )


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_2xx_is_the_end(status: int) -> None:
    assert judged(Answer(status=status), failing_for=PATIENCE) == Verdict(state="delivered")


@pytest.mark.parametrize("status", [100, 301, 302, 307, 400, 401, 404, 418, 500, None])
def test_anything_else_is_tried_again_at_the_specs_times(status: int | None) -> None:
    for attempt, wait in enumerate(WAITS, start=1):
        verdict = judged(Answer(status=status, error="no"), attempt=attempt)
        assert verdict.state == "pending"
        assert verdict.wait is not None
        assert wait <= verdict.wait <= wait * (1 + JITTER)
        assert verdict.disable is None
    assert judged(Answer(status=status), attempt=MAX_ATTEMPTS).state == "failed"
    assert sum(WAITS) == (75 * 60 + 35) * 60 + 5  # as the specification adds them up


def test_gone_is_gone() -> None:
    verdict = judged(Answer(status=410))
    assert (verdict.state, verdict.wait) == ("failed", None)
    assert verdict.disable == "the receiver answered 410 Gone"


@pytest.mark.parametrize(
    ("status", "asked", "wait", "rest"),
    [
        (429, 120.0, 120.0, 120.0),
        (503, 120.0, 120.0, 120.0),
        (429, 1.0, 5.0, 1.0),
        (429, 10.0**9, 86400.0, 86400.0),
        (500, 120.0, 5.0, 0.0),  # it is no word on when to come back
        (502, 120.0, 5.0, 1.0),
    ],
)
def test_a_receivers_wish_is_respected(status: int, asked: float, wait: float, rest: float) -> None:
    verdict = judged(Answer(status=status, retry_after=asked))
    assert verdict.wait is not None
    assert wait <= verdict.wait <= wait * (1 + JITTER)
    assert verdict.rest == rest


def test_a_receiver_that_does_not_answer_rests_for_longer_and_longer() -> None:
    silent = Answer(error="no answer within 10 s")
    rests = [judged(silent, failures=number).rest for number in (1, 2, 3, 6, 7, 1000)]
    assert rests == [1, 2, 4, 32, LONGEST_REST, LONGEST_REST]
    assert judged(Answer(status=400), failures=1000).rest == 0


def test_days_of_failures_disable_with_the_last_reason() -> None:
    answer = Answer(error="the connection was refused")
    assert judged(answer, failing_for=PATIENCE - timedelta(seconds=1)).disable is None
    verdict = judged(answer, failing_for=PATIENCE)
    assert verdict.disable == (
        "every attempt failed for 3 days, the last one because the connection was refused"
    )
    assert timedelta(seconds=sum(WAITS)) > PATIENCE  # one event suffices


def test_each_move_that_matters_has_its_event() -> None:
    told = {
        (source, target): event_of(source, target)
        for source, targets in TRANSITIONS.items()
        for target in targets
        if event_of(source, target)
    }
    assert set(told.values()) == {
        "post.scheduled",
        "post.published",
        "post.failed",
        "post.approval_requested",
        "post.approved",
    }
    assert set(told.values()) <= set(EVENTS)
    for (source, target), event in told.items():
        by_name = {"waiting_approval": "approval_requested", "pending": "approved"}
        assert event == f"post.{by_name.get(target, target)}"
        assert source is not PostState.CANCELLING or target is not PostState.SCHEDULED


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Sun, 22 Nov 2026 12:02:00 GMT", 120.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("9" * 400, 999999999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


def test_a_body_is_the_same_each_time() -> None:
    body = body_of("post.failed", "2026-11-22T12:00:00Z", {"content": "ü", "id": "1"})
    assert body == (
        '{"type":"post.failed","timestamp":"2026-11-22T12:00:00Z","data":{"content":"ü","id":"1"}}'
    )
