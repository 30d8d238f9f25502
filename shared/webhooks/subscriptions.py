"""Webhooks: their secrets, and what a caller may see and change of them."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, select, text, update
from sqlalchemy.orm import Session
from standardwebhooks import Webhook as Signer

from shared.access.visible_profiles import VisibleProfiles
from shared.crypto import SecretBox
from shared.db import Database
from shared.domain.webhook_retries import WEBHOOK_TEST
from shared.errors import Conflict, SecretUnreadable
from shared.models import Delivery, Webhook

#: How long a replaced secret still signs, beside the new one.
BOTH_VALID = timedelta(hours=24)
#: Limits the length of the signature header after many rotations.
MOST_SECRETS = 5
ON_DEMAND = "switched off"
#: Of the log of a webhook that is deleted: a long one takes longer than a statement may.
DELETED_AT_ONCE = 5000
#: Webhooks of a profile, and those of all profiles: each event is written for each of them, some
#: by what serves many clients.
MOST = 50


#: What is about a deleted profile and others goes to webhooks of these, without a word of it. (To
#: those of all profiles it goes in any case.)
_DELIVERIES_OF_OTHERS = text("""
UPDATE deliveries
SET profile_ids = array_remove(profile_ids, :profile_id),
    data = CASE WHEN data ? 'profile_ids'
        THEN jsonb_set(data, '{profile_ids}', (data->'profile_ids') - CAST(:profile_id AS text))
        ELSE data END
WHERE :profile_id = ANY(profile_ids)
    AND webhook_id IN (SELECT id FROM webhooks WHERE profile_ids IS NOT NULL)
""")


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def require_room(session: Session, webhook: Webhook) -> None:
    """Call it after its profiles are written. Raises `Conflict` if one has too many webhooks now.

    Nobody else adds any until the transaction ends.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("webhooks", 12))))
    every = Webhook.profile_ids.is_(None)
    count = select(func.count(Webhook.id))
    if webhook.profile_ids is None:
        if (session.scalar(count.where(every)) or 0) > MOST:
            raise _too_many("There are", "for all profiles")
        return
    each = select(Webhook.id, func.unnest(Webhook.profile_ids).label("name")).subquery()
    own = select(each.c.name).where(each.c.name.in_(webhook.profile_ids)).group_by(each.c.name)
    full = session.scalar(own.having(func.count(each.c.id.distinct()) > MOST).limit(1))
    if full is not None:
        raise _too_many(f"The profile {full} has", "that are for it")


def _too_many(subject: str, which: str) -> Conflict:
    message = f"{subject} {MOST} webhooks {which}: delete one that is not needed any more"
    return Conflict(message, code="too_many_webhooks")


def replace_secret(webhook: Webhook, box: SecretBox, now: datetime) -> str:
    """The new secret, which cannot be read again; earlier ones stay valid for their time.

    All of them do: after two rotations, some receivers may still have the first.
    """
    secret = new_secret()
    until = (now + BOTH_VALID).isoformat()
    old = [{"secret": webhook.secret, "until": until}, *_still_valid(webhook, now)]
    webhook.old_secrets = old[: MOST_SECRETS - 1]
    webhook.secret = box.seal(secret)
    return secret


def _still_valid(webhook: Webhook, now: datetime) -> list[dict[str, str]]:
    return [old for old in webhook.old_secrets if (end := _end_of(old)) and end > now]


def _end_of(old: dict[str, str]) -> datetime | None:
    """None if it cannot be read: such a secret no longer signs."""
    try:
        end = datetime.fromisoformat(old["until"])
    except (KeyError, TypeError, ValueError):
        return None
    return end if end.tzinfo else None


def old_secrets_until(webhook: Webhook, now: datetime) -> datetime | None:
    """Until when a replaced secret still signs; None if none does."""
    ends = [_end_of(old) for old in _still_valid(webhook, now)]
    return max((end for end in ends if end), default=None)


def sealed_secrets(webhook: Webhook, now: datetime) -> list[str]:
    """The sealed secrets that sign now, the newest first."""
    return [webhook.secret, *(old["secret"] for old in _still_valid(webhook, now))]


def open_secrets(sealed: Sequence[str], box: SecretBox) -> list[str]:
    """Raises `SecretUnreadable` if the newest cannot be opened.

    An older secret that cannot be opened is left out.
    """
    newest, *old = sealed
    return [
        box.open(newest),
        *(secret for token in old if (secret := _try_open_secret(token, box))),
    ]


def _try_open_secret(sealed: str, box: SecretBox) -> str | None:
    try:
        return box.open(sealed)
    except SecretUnreadable:
        return None


def why_held(webhook: Webhook, box: SecretBox) -> str | None:
    """The code of what prevents sending until a person fixes it; None if nothing is known."""
    return None if _try_open_secret(webhook.secret, box) is not None else SecretUnreadable.code


def signature_headers(
    valid: Sequence[str], message_id: str, at: datetime, body: str
) -> dict[str, str]:
    """The headers of Standard Webhooks, with a signature for each valid secret."""
    signatures = [Signer(secret).sign(message_id, at, body) for secret in valid]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def visible_deliveries_condition(webhook: Webhook, visible: VisibleProfiles) -> ColumnElement[bool]:
    """The webhook's deliveries that are only about profiles that the caller may see."""
    own = [] if webhook.profile_ids is None else [VisibleProfiles.only(webhook.profile_ids)]
    inside = [limit.condition(Delivery) for limit in (visible, *own)]
    return and_(Delivery.webhook_id == webhook.id, *inside)


def drop_foreign(session: Session, webhook: Webhook) -> None:
    """Drop what waits for a webhook that was restricted to other profiles."""
    if webhook.profile_ids is not None:
        foreign = ~Delivery.profile_ids.contained_by(webhook.profile_ids)
        waiting = (Delivery.webhook_id == webhook.id, Delivery.state == "pending")
        session.execute(update(Delivery).where(*waiting, foreign).values(state="dropped"))


def set_enabled(webhook: Webhook, *, enabled: bool) -> None:
    """An enabled webhook starts without failures, and what waits for it is sent."""
    if enabled == webhook.enabled:
        return
    webhook.enabled = enabled
    webhook.disabled_at = None if enabled else func.clock_timestamp()
    webhook.disabled_reason = None if enabled else ON_DEMAND
    if enabled:
        webhook.failures, webhook.failing_since, webhook.retry_at = 0, None, None


def require_enabled(webhook: Webhook) -> None:
    if not webhook.enabled:
        raise Conflict(
            "The webhook is disabled: enable it first, with PATCH", code="webhook_disabled"
        )


def find_waiting_test(session: Session, webhook: Webhook) -> Delivery | None:
    """The test that is still to be delivered: however often a person asks, there is one."""
    waiting = Delivery.webhook_id == webhook.id, Delivery.state == "pending"
    return session.scalar(select(Delivery).where(*waiting, Delivery.event == WEBHOOK_TEST).limit(1))


def requeue_delivery(session: Session, webhook: Webhook, delivery: Delivery) -> None:
    """Deliver it again from the beginning, under the same id. Raises `Conflict`."""
    require_enabled(webhook)
    values = {"state": "pending", "attempts": 0, "next_at": func.now(), "claim": 0}
    session.execute(
        update(Delivery).where(Delivery.id == delivery.id).values(**values, delivered_at=None),
        execution_options={"synchronize_session": False},
    )
    session.refresh(delivery)


def delete_some_deliveries(database: Database, webhook_id: int) -> bool:
    """A part of the log of a webhook that is being deleted; False once nothing is left."""
    some = select(Delivery.id).where(Delivery.webhook_id == webhook_id).limit(DELETED_AT_ONCE)
    with database.transaction() as session:
        ids = session.scalars(some.order_by(Delivery.id)).all()
        session.execute(delete(Delivery).where(Delivery.id.in_(ids)))
        return bool(ids)


def forget_profile(session: Session, profile_id: str) -> None:
    """A profile is being deleted: delete its own webhooks, and remove it from the others."""
    only_its_own = VisibleProfiles.only({profile_id}).condition(Webhook)
    session.execute(delete(Webhook).where(only_its_own))
    bound = Webhook.profile_ids.contains([profile_id])
    fewer = func.array_remove(Webhook.profile_ids, profile_id)
    session.execute(update(Webhook).where(bound).values(profile_ids=fewer))
    about = Delivery.profile_ids == [profile_id]
    session.execute(delete(Delivery).where(about))
    session.execute(_DELIVERIES_OF_OTHERS, {"profile_id": profile_id})
