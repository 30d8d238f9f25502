"""The delivery log: the result of each attempt, and what it means for the webhook."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, func, update
from sqlalchemy.orm import Session

from shared import db
from shared.db import ROW_LOCK
from shared.domain.webhook_retries import MAX_ATTEMPTS, Verdict, judge_attempt
from shared.log import get_logger
from shared.models import Delivery, Webhook
from shared.webhooks.outbox import format_utc
from worker.webhooks.delivery_attempt import FinishedAttempt

#: The error of a delivery whose attempts ended without a recorded result.
_UNNOTED = f"given up: of {MAX_ATTEMPTS} attempts none came to an end that could be noted"

log = get_logger("deliver")


def record_attempts(session: Session, webhook_id: int, attempts: Sequence[FinishedAttempt]) -> None:
    """Record the results of attempts for one webhook.

    Only after a failure is the webhook locked, because nearly all attempts succeed; always before
    its deliveries, as everywhere.
    """
    now = db.read_clock(session)
    accepted = [finished for finished in attempts if finished.answer.accepted]
    if accepted:
        recovered = update(Webhook).where(Webhook.id == webhook_id, Webhook.failures > 0)
        session.execute(recovered.values(failures=0, failing_since=None, retry_at=None))
    for finished in accepted:
        _write_delivery(session, finished, Verdict(state="delivered"), now)
    for finished in attempts:
        if not finished.answer.accepted:
            _record_failed_attempt(session, finished, now)


def give_up_unnoted(session: Session, ids: Sequence[int]) -> None:
    """Fail those of these deliveries that have used all attempts without a recorded result."""
    entry = {
        "at": format_utc(db.read_clock(session)),
        "status": None,
        "error": _UNNOTED,
        "seconds": 0.0,
    }
    lost = update(Delivery).where(Delivery.id.in_(ids), Delivery.attempts >= MAX_ATTEMPTS)
    session.execute(
        lost.values(state="failed", tried=Delivery.tried.concat([entry])),
        execution_options={"synchronize_session": False},
    )


def _record_failed_attempt(session: Session, finished: FinishedAttempt, now: datetime) -> None:
    webhook = session.get(Webhook, finished.claimed.webhook_id, with_for_update=ROW_LOCK)
    if webhook is None:
        return  # was deleted, with all its deliveries
    since = webhook.failing_since or now - timedelta(seconds=finished.seconds)
    webhook.failures, webhook.failing_since = webhook.failures + 1, since
    verdict = judge_attempt(
        finished.answer,
        attempt=finished.claimed.attempt,
        failures=webhook.failures,
        failing_for=now - since,
    )
    _write_delivery(session, finished, verdict, now)
    webhook.retry_at = _latest_time(webhook.retry_at, now + timedelta(seconds=verdict.rest))
    if verdict.disable and webhook.enabled:
        _disable_webhook(webhook, verdict.disable, now)


def _latest_time(known: datetime | None, new: datetime) -> datetime:
    return new if known is None else max(known, new)


def _write_delivery(
    session: Session, finished: FinishedAttempt, verdict: Verdict, now: datetime
) -> None:
    """Write the result, unless the claim is lost: the delivery was requested again, or its lease
    ended."""
    entry = {
        "at": format_utc(now - timedelta(seconds=finished.seconds)),
        "status": finished.answer.status,
        "error": finished.answer.error,
        "seconds": round(finished.seconds, 3),
    }
    values: dict[str, object] = {"state": verdict.state, "tried": Delivery.tried.concat([entry])}
    if verdict.wait is not None:
        values["next_at"] = now + timedelta(seconds=verdict.wait)
    if finished.answer.accepted:
        values["delivered_at"] = func.clock_timestamp()
    claimed_update = update(Delivery).where(
        Delivery.id == finished.claimed.id, Delivery.claim == finished.claimed.claim
    )
    result = session.execute(
        claimed_update.values(**values), execution_options={"synchronize_session": False}
    )
    assert isinstance(result, CursorResult)
    if not result.rowcount:
        log.warning("claim lost", webhook=finished.claimed.webhook_id, delivery=finished.claimed.id)


def _disable_webhook(webhook: Webhook, reason: str, now: datetime) -> None:
    webhook.enabled = False
    webhook.disabled_at, webhook.disabled_reason = now, reason
    log.error("webhook disabled", webhook=webhook.id, reason=reason)
