"""Deliver: tell webhooks what happened, at least once, with no receiver holding up another.

One courier in each pool sends many deliveries at once, from rows. A receiver gets one at a time
until it has answered quickly; a slow one never has more than that.
"""

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, CursorResult, Select, exists, func, or_, select, update
from sqlalchemy.orm import Session

from shared import failpoints, metrics, webhooks
from shared.crypto import SecretBox
from shared.db import ROW_LOCK
from shared.domain.webhooks import Verdict, judge
from shared.log import get_logger
from shared.models import Delivery, Webhook
from shared.outbox import iso
from shared.route import Route
from worker import accounts
from worker.runtime import Runtime
from worker.sending import Parcel, Tried, attempt, body_of

#: Longer than an attempt may last, a slow look-up of its name included: then it is made again.
LEASE = timedelta(seconds=60)
#: After so long a courier takes nothing new; with what it has, it ends within a warm shutdown.
TURN_SECONDS = 10.0
THREADS = 32
#: Of one receiver at a time, once it has answered within `QUICK_SECONDS`.
ABREAST = 8
QUICK_SECONDS = 1.0
#: How soon a courier that waits for a slow receiver looks for what else is due.
LOOK_SECONDS = 0.2

log = get_logger("deliver")


def due(session: Session) -> bool:
    """Whether anything waits to be delivered now."""
    return session.scalar(_due().limit(1)) is not None


def deliver(runtime: Runtime) -> None:
    """Deliver what is due, for a turn."""
    Courier(runtime).turn()


def _due() -> Select[Webhook]:
    """The webhooks that may get something now, and have something to get."""
    rested = or_(Webhook.retry_at.is_(None), Webhook.retry_at <= func.now())
    own = or_(Webhook.profile_ids.is_(None), Delivery.profile_ids.contained_by(Webhook.profile_ids))
    waiting = exists().where(Delivery.webhook_id == Webhook.id, own, *_waiting())
    return select(Webhook).where(Webhook.enabled, rested, waiting)


def _waiting() -> Sequence[ColumnElement[bool]]:
    return Delivery.state == "pending", Delivery.next_at <= func.now()


class Courier:
    """One turn: what is under way, and which receivers answered quickly in it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._box = SecretBox.from_settings(runtime.settings)
        self._under_way: dict[Future[Tried], int] = {}
        self._quick: set[int] = set()

    def turn(self) -> None:
        deadline = time.monotonic() + TURN_SECONDS
        with ThreadPoolExecutor(THREADS) as threads:
            while True:
                if time.monotonic() < deadline:
                    self._send(threads)
                if not self._under_way:
                    return
                back = wait(self._under_way, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
                for future in back.done:
                    del self._under_way[future]
                self._write([future.result() for future in back.done])

    def _send(self, threads: ThreadPoolExecutor) -> None:
        """Claim what is due, as far as its receivers and our threads have room."""
        parcels: list[Parcel] = []
        with self._runtime.database.transaction() as session:
            for webhook in session.scalars(_due().order_by(func.random())).all():
                room = min(self._room(webhook), THREADS - len(self._under_way) - len(parcels))
                if room > 0:
                    parcels += _claim(session, webhook, room, self._box)
        route = Route.from_settings(self._runtime.settings)
        for parcel in parcels:
            future = threads.submit(attempt, parcel, route)
            self._under_way[future] = parcel.webhook_id

    def _room(self, webhook: Webhook) -> int:
        most = ABREAST if webhook.id in self._quick and not webhook.failures else 1
        return most - sum(each == webhook.id for each in self._under_way.values())

    def _write(self, back: Sequence[Tried]) -> None:
        failpoints.hit("deliver.after_answer")
        for tried in back:
            metrics.DELIVERY.labels(tried.answer.outcome).observe(tried.seconds)
        accepted = [tried for tried in back if tried.answer.accepted]
        with self._runtime.database.transaction() as session:
            _note_accepted(session, accepted)
        for tried in back:
            if not tried.answer.accepted:
                with self._runtime.database.transaction() as session:
                    _note_failed(session, tried)
            quick = tried.answer.accepted and tried.seconds < QUICK_SECONDS
            (self._quick.add if quick else self._quick.discard)(tried.parcel.webhook_id)


def _claim(session: Session, webhook: Webhook, room: int, box: SecretBox) -> list[Parcel]:
    """At most `room` of what is due for the webhook, the longest overdue first."""
    chosen = session.scalars(
        select(Delivery.id)
        .where(webhooks.told_of(webhook, None), *_waiting())
        .order_by(Delivery.next_at)
        .limit(room)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    if not chosen:
        return []
    claim = {"claim": accounts.new_claim(), "attempts": Delivery.attempts + 1}
    rows = session.scalars(
        update(Delivery)
        .where(Delivery.id.in_(chosen))
        .values(**claim, next_at=func.now() + LEASE)
        .returning(Delivery)
    ).all()
    valid = webhooks.valid_secrets(webhook, box)
    return [_parcel(webhook, row, valid) for row in rows]


def _parcel(webhook: Webhook, row: Delivery, valid: Sequence[str]) -> Parcel:
    return Parcel(
        id=row.id,
        claim=row.claim,
        webhook_id=webhook.id,
        attempt=row.attempts,
        message_id=row.message_id,
        url=webhook.url,
        secrets=valid,
        body=body_of(row.event, iso(row.created_at), row.data),
    )


def _note_accepted(session: Session, accepted: Sequence[Tried]) -> None:
    """Many in one transaction: nearly all of them are accepted."""
    if not accepted:
        return
    ids = {tried.parcel.webhook_id for tried in accepted}
    recovered = update(Webhook).where(Webhook.id.in_(ids), Webhook.failures > 0)
    session.execute(recovered.values(failures=0, failing_since=None, retry_at=None))
    for tried in accepted:
        _write_delivery(session, tried, Verdict(state="delivered"))


def _note_failed(session: Session, tried: Tried) -> None:
    """The webhook is locked before its delivery, as whoever changes it does."""
    webhook = session.get(Webhook, tried.parcel.webhook_id, with_for_update=ROW_LOCK)
    if webhook is None:
        return  # deleted in the meantime, with all its deliveries
    since = webhook.failing_since or tried.at
    webhook.failures, webhook.failing_since = webhook.failures + 1, since
    verdict = judge(
        tried.answer,
        attempt=tried.parcel.attempt,
        failures=webhook.failures,
        failing_for=datetime.now(UTC) - since,
    )
    _write_delivery(session, tried, verdict)
    webhook.retry_at = _later(webhook.retry_at, accounts.now_plus(verdict.rest))
    if verdict.disable and webhook.enabled:
        _disable(webhook, verdict.disable)


def _later(known: datetime | None, new: datetime) -> datetime:
    return new if known is None else max(known, new)


def _write_delivery(session: Session, tried: Tried, verdict: Verdict) -> None:
    """Unless it is somebody else's by now: asked for again, or taken for lost."""
    entry = {
        "at": iso(tried.at),
        "status": tried.answer.status,
        "error": tried.answer.error,
        "seconds": round(tried.seconds, 3),
    }
    values: dict[str, object] = {"state": verdict.state, "tried": Delivery.tried.concat([entry])}
    if verdict.wait is not None:
        values["next_at"] = accounts.now_plus(verdict.wait)
    if tried.answer.accepted:
        values["delivered_at"] = func.clock_timestamp()
    mine = update(Delivery).where(
        Delivery.id == tried.parcel.id, Delivery.claim == tried.parcel.claim
    )
    written = session.execute(
        mine.values(**values), execution_options={"synchronize_session": False}
    )
    assert isinstance(written, CursorResult)
    if not written.rowcount:
        log.warning("claim lost", webhook=tried.parcel.webhook_id, delivery=tried.parcel.id)


def _disable(webhook: Webhook, reason: str) -> None:
    webhook.enabled = False
    webhook.disabled_at, webhook.disabled_reason = datetime.now(UTC), reason
    log.error("webhook disabled", webhook=webhook.id, reason=reason)
