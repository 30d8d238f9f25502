"""Deliver: sends events to webhooks, at least once; a slow receiver does not delay others.

One child of each pool reads deliveries from the database and sends many at the same time. A
receiver gets one delivery at a time until it has answered quickly.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, update
from sqlalchemy.orm import Session

from shared import db, failpoints, metrics
from shared.access.visible_profiles import EVERY_PROFILE
from shared.containment import contain_failures
from shared.crypto import SecretBox
from shared.models import Delivery, Webhook
from shared.net.outbound_route import Route
from shared.webhooks import subscriptions
from shared.webhooks.outbox import format_utc
from worker.accounts import leases
from worker.round_steps import brief_transaction
from worker.runtime import Runtime
from worker.webhooks import delivery_log
from worker.webhooks.delivery_attempt import (
    ClaimedDelivery,
    FinishedAttempt,
    attempt_delivery,
    body_of,
)

#: After this time an attempt is lost and made again; longer than an attempt with a slow DNS lookup.
LEASE = timedelta(seconds=60)
#: How long a run claims new deliveries; short enough to finish within a warm shutdown (seconds).
SLICE_SECONDS = 10.0
THREADS = 32
#: The part of them that may wait for receivers whose last attempt failed: however many of these
#: there are, the others have threads.
FAILING_SHARE = 0.5
#: Deliveries to a receiver at a time, if it has answered within `QUICK_SECONDS`.
MAX_PER_RECEIVER = 8
QUICK_SECONDS = 1.0
#: How often a run that waits for answers checks for other due deliveries (seconds).
POLL_SECONDS = 0.2
#: The pause of a webhook after an unexpected error.
PAUSE = timedelta(seconds=60)


def has_due_deliveries(session: Session) -> bool:
    """Whether any delivery is due."""
    return session.scalar(due_webhooks_query().limit(1)) is not None


def send_due_deliveries(runtime: Runtime) -> None:
    """Send due deliveries for one time slice."""
    DeliveryRun(runtime).run_slice()


def due_webhooks_query() -> Select[Webhook]:
    """Webhooks with due deliveries that may get them now."""
    rested = or_(Webhook.retry_at.is_(None), Webhook.retry_at <= func.now())
    own = or_(Webhook.profile_ids.is_(None), Delivery.profile_ids.contained_by(Webhook.profile_ids))
    waiting = exists().where(Delivery.webhook_id == Webhook.id, own, *_due_deliveries_condition())
    return select(Webhook).where(Webhook.enabled, rested, waiting)


def _due_deliveries_condition() -> Sequence[ColumnElement[bool]]:
    return Delivery.state == "pending", Delivery.next_at <= func.now()


class DeliveryRun:
    """One time slice: the running attempts, and which receivers have answered quickly."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._box = SecretBox.from_settings(runtime.settings)
        self._under_way: dict[Future[FinishedAttempt], int] = {}
        self._quick: set[int] = set()
        self._failing: set[int] = set()

    def run_slice(self) -> None:
        deadline = time.monotonic() + SLICE_SECONDS
        with ThreadPoolExecutor(THREADS) as threads:
            while True:
                if time.monotonic() < deadline:
                    self._submit_attempts(threads)
                if not self._under_way:
                    return
                finished = wait(self._under_way, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in finished.done:
                    del self._under_way[future]
                self._record_attempts([future.result() for future in finished.done])

    def _submit_attempts(self, threads: ThreadPoolExecutor) -> None:
        """Claim and start due deliveries, as far as receivers and threads are free."""
        route = Route.from_settings(self._runtime.settings)
        with self._runtime.database.transaction() as session:
            due_now = session.scalars(due_webhooks_query().order_by(func.random())).all()
        for webhook in due_now:
            room = min(self._free_slots(webhook), self._free_threads(webhook))
            for claimed in self._try_claim(webhook, room) if room > 0 else ():
                future = threads.submit(attempt_delivery, claimed, self._box, route)
                self._under_way[future] = webhook.id

    def _free_slots(self, webhook: Webhook) -> int:
        most = MAX_PER_RECEIVER if webhook.id in self._quick and not webhook.failures else 1
        return most - sum(webhook_id == webhook.id for webhook_id in self._under_way.values())

    def _free_threads(self, webhook: Webhook) -> int:
        free = THREADS - len(self._under_way)
        if not webhook.failures:
            self._failing.discard(webhook.id)
            return free
        self._failing.add(webhook.id)
        waiting = sum(webhook_id in self._failing for webhook_id in self._under_way.values())
        return min(free, int(THREADS * FAILING_SHARE) - waiting)

    def _try_claim(self, webhook: Webhook, room: int) -> list[ClaimedDelivery]:
        """Claim deliveries of the webhook; after an error only this webhook pauses."""
        database = self._runtime.database
        claiming = contain_failures("claim_deliveries", webhook=webhook.id)
        with claiming as fate, brief_transaction(database) as session:
            return _claim_deliveries(session, webhook.id, room)
        with (
            contain_failures("rest_webhook", webhook=webhook.id),
            brief_transaction(database) as session,
        ):
            if not fate.may_pass:
                resting = update(Webhook).where(Webhook.id == webhook.id)
                session.execute(resting.values(retry_at=func.now() + PAUSE))
        return []

    def _record_attempts(self, attempts: Sequence[FinishedAttempt]) -> None:
        """Record results per webhook; a delivery that cannot be recorded is sent again after its
        lease."""
        failpoints.hit("deliver.after_answer")
        by_webhook: dict[int, list[FinishedAttempt]] = defaultdict(list)
        for finished in attempts:
            metrics.DELIVERY.labels(finished.answer.outcome).observe(finished.seconds)
            quick = finished.answer.accepted and finished.seconds < QUICK_SECONDS
            (self._quick.add if quick else self._quick.discard)(finished.claimed.webhook_id)
            by_webhook[finished.claimed.webhook_id].append(finished)
        for webhook_id, webhook_attempts in by_webhook.items():
            noting = contain_failures("note_deliveries", webhook=webhook_id)
            with noting, brief_transaction(self._runtime.database) as session:
                delivery_log.record_attempts(session, webhook_id, webhook_attempts)


def _claim_deliveries(session: Session, webhook_id: int, room: int) -> list[ClaimedDelivery]:
    """Claim at most `room` due deliveries of the webhook, the longest overdue first."""
    webhook = session.get(Webhook, webhook_id)
    if webhook is None or not webhook.enabled:
        return []  # changed since the query
    chosen = session.scalars(
        select(Delivery.id)
        .where(
            subscriptions.visible_deliveries_condition(webhook, EVERY_PROFILE),
            *_due_deliveries_condition(),
        )
        .order_by(Delivery.next_at, Delivery.id)
        .limit(room)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    if not chosen:
        return []
    delivery_log.give_up_unnoted(session, chosen)
    claim = {"claim": leases.new_claim(), "attempts": Delivery.attempts + 1}
    rows = session.scalars(
        update(Delivery)
        .where(Delivery.id.in_(chosen), Delivery.state == "pending")
        .values(**claim, next_at=func.now() + LEASE)
        .returning(Delivery)
    ).all()
    sealed = subscriptions.sealed_secrets(webhook, db.read_clock(session))
    return [_claimed_delivery(webhook, row, sealed) for row in rows]


def _claimed_delivery(webhook: Webhook, row: Delivery, sealed: Sequence[str]) -> ClaimedDelivery:
    return ClaimedDelivery(
        id=row.id,
        claim=row.claim,
        webhook_id=webhook.id,
        attempt=row.attempts,
        message_id=row.message_id,
        url=webhook.url,
        sealed=sealed,
        body=body_of(row.event, format_utc(row.created_at), row.data),
    )
