"""Deliver: tell webhooks what happened, at least once, with no receiver holding up another.

One courier in each pool sends many deliveries at once, from rows. A receiver gets one at a time
until it has answered quickly; a slow one never has more than that.
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
from worker.webhooks.delivery_attempt import Parcel, Tried, attempt_delivery, body_of

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
#: A webhook with which something unexpected went wrong has nothing claimed for so long.
REST = timedelta(seconds=60)


def has_due_deliveries(session: Session) -> bool:
    """Whether anything waits to be delivered now."""
    return session.scalar(_due_webhooks_query().limit(1)) is not None


def send_due_deliveries(runtime: Runtime) -> None:
    """Deliver what is due, for a turn."""
    Courier(runtime).run_slice()


def _due_webhooks_query() -> Select[Webhook]:
    """The webhooks that may get something now, and have something to get."""
    rested = or_(Webhook.retry_at.is_(None), Webhook.retry_at <= func.now())
    own = or_(Webhook.profile_ids.is_(None), Delivery.profile_ids.contained_by(Webhook.profile_ids))
    waiting = exists().where(Delivery.webhook_id == Webhook.id, own, *_due_deliveries_condition())
    return select(Webhook).where(Webhook.enabled, rested, waiting)


def _due_deliveries_condition() -> Sequence[ColumnElement[bool]]:
    return Delivery.state == "pending", Delivery.next_at <= func.now()


class Courier:
    """One turn: what is under way, and which receivers answered quickly in it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._box = SecretBox.from_settings(runtime.settings)
        self._under_way: dict[Future[Tried], int] = {}
        self._quick: set[int] = set()

    def run_slice(self) -> None:
        deadline = time.monotonic() + TURN_SECONDS
        with ThreadPoolExecutor(THREADS) as threads:
            while True:
                if time.monotonic() < deadline:
                    self._submit_attempts(threads)
                if not self._under_way:
                    return
                finished = wait(self._under_way, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
                for future in finished.done:
                    del self._under_way[future]
                self._record_attempts([future.result() for future in finished.done])

    def _submit_attempts(self, threads: ThreadPoolExecutor) -> None:
        """Claim what is due, as far as its receivers and our threads have room."""
        route = Route.from_settings(self._runtime.settings)
        with self._runtime.database.transaction() as session:
            due_now = session.scalars(_due_webhooks_query().order_by(func.random())).all()
        for webhook in due_now:
            room = min(self._free_slots(webhook), THREADS - len(self._under_way))
            for parcel in self._claim_parcels(webhook, room) if room > 0 else ():
                future = threads.submit(attempt_delivery, parcel, self._box, route)
                self._under_way[future] = webhook.id

    def _free_slots(self, webhook: Webhook) -> int:
        most = ABREAST if webhook.id in self._quick and not webhook.failures else 1
        return most - sum(webhook_id == webhook.id for webhook_id in self._under_way.values())

    def _claim_parcels(self, webhook: Webhook, room: int) -> list[Parcel]:
        """What is now ours to send to it. Whatever a webhook's rows raise, it alone rests for."""
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
                session.execute(resting.values(retry_at=func.now() + REST))
        return []

    def _record_attempts(self, attempts: Sequence[Tried]) -> None:
        """For each webhook alone; what cannot be noted is delivered again after its lease."""
        failpoints.hit("deliver.after_answer")
        by_webhook: dict[int, list[Tried]] = defaultdict(list)
        for tried in attempts:
            metrics.DELIVERY.labels(tried.answer.outcome).observe(tried.seconds)
            quick = tried.answer.accepted and tried.seconds < QUICK_SECONDS
            (self._quick.add if quick else self._quick.discard)(tried.parcel.webhook_id)
            by_webhook[tried.parcel.webhook_id].append(tried)
        for webhook_id, webhook_attempts in by_webhook.items():
            noting = contain_failures("note_deliveries", webhook=webhook_id)
            with noting, brief_transaction(self._runtime.database) as session:
                delivery_log.record_attempts(session, webhook_id, webhook_attempts)


def _claim_deliveries(session: Session, webhook_id: int, room: int) -> list[Parcel]:
    """At most `room` of what is due for the webhook, the longest overdue first."""
    webhook = session.get(Webhook, webhook_id)
    if webhook is None or not webhook.enabled:
        return []  # since we looked
    chosen = session.scalars(
        select(Delivery.id)
        .where(
            subscriptions.visible_deliveries_condition(webhook, EVERY_PROFILE),
            *_due_deliveries_condition(),
        )
        .order_by(Delivery.next_at)
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
    return [_build_parcel(webhook, row, sealed) for row in rows]


def _build_parcel(webhook: Webhook, row: Delivery, sealed: Sequence[str]) -> Parcel:
    return Parcel(
        id=row.id,
        claim=row.claim,
        webhook_id=webhook.id,
        attempt=row.attempts,
        message_id=row.message_id,
        url=webhook.url,
        sealed=sealed,
        body=body_of(row.event, format_utc(row.created_at), row.data),
    )
