"""Writes what webhooks will receive, in the same transaction as the change that it reports.

So every change is reported, and nothing is reported that did not happen.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, text
from sqlalchemy.orm import Session

from shared import db
from shared.accounts.budget_queries import budget_remaining, budget_state
from shared.domain.publishing.states import PostState
from shared.domain.webhook_retries import JOB_COMPLETED, WEBHOOK_TEST, event_of
from shared.errors import PressroomError
from shared.jobs.progress import Outcome
from shared.models import Account, Delivery, Integration, Profile, Webhook

#: Posts as the API shows them, without their timelines. It is one statement for any number of
#: posts, and reads no post if no webhook wants the event. It is materialized, so that an event has
#: one id for all webhooks. It waits for a webhook that is being deleted: a reference to it would
#: fail, and so would the change.
_POSTS_MOVED = text("""
WITH told AS MATERIALIZED (
    SELECT posts.id, posts.profile_id,
           'msg_' || replace(gen_random_uuid()::text, '-', '') AS message_id,
           jsonb_build_object(
               'id', posts.id::text,
               'job_id', posts.job_id::text,
               'profile_id', posts.profile_id,
               'integration', jsonb_build_object(
                   'id', posts.integration_id,
                   'identifier', posts.integration_identifier,
                   'name', posts.integration_name),
               'content', posts.content,
               'media_ids', to_jsonb(posts.media_ids::text[]),
               'thread', (
                   SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'content', part->'content',
                       'media_ids', (
                           SELECT coalesce(jsonb_agg(medium), '[]'::jsonb)
                           FROM jsonb_array_elements_text(part->'media_ids') AS medium),
                       'delay_minutes', part->'delay_minutes') ORDER BY place), '[]'::jsonb)
                   FROM jsonb_array_elements(posts.thread) WITH ORDINALITY AS parts (part, place)),
               'publish_at', replace(
                   to_char(posts.publish_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                   '.000000Z', 'Z'),
               'state', posts.state,
               'revision', posts.revision,
               'requires_approval', posts.requires_approval,
               'approved_revision', posts.approved_revision,
               'attempts', posts.attempts,
               'error', CASE WHEN posts.error_code IS NOT NULL THEN jsonb_build_object(
                   'code', posts.error_code,
                   'message', coalesce(posts.error_message, ''),
                   'hint', posts.error_hint,
                   'may_be_live', posts.error_code = 'may_have_been_sent' OR EXISTS (
                       SELECT FROM handovers
                       WHERE handovers.post_id = posts.id AND handovers.released_at IS NOT NULL
                         AND handovers.buried_at IS NULL)) END,
               'postiz_post_id', posts.postiz_post_id,
               'release_url', posts.release_url,
               'external_id', posts.external_id) AS data
    FROM posts
    WHERE posts.id = ANY(:ids)
      AND EXISTS (SELECT FROM webhooks WHERE enabled AND :event = ANY(events))
)
INSERT INTO deliveries (webhook_id, message_id, event, profile_ids, data)
SELECT listening.id, told.message_id, :event, ARRAY[told.profile_id], told.data
FROM told JOIN webhooks AS listening
  ON listening.enabled AND :event = ANY(listening.events)
 AND (listening.profile_ids IS NULL OR told.profile_id = ANY(listening.profile_ids))
ORDER BY told.id
FOR KEY SHARE OF listening
""")


def enqueue_post_events(
    session: Session, ids: Collection[int], source: PostState, target: PostState
) -> None:
    """Call it after the posts are in `target`."""
    if event := event_of(source, target):
        enqueue_post_event(session, ids, event)


def enqueue_post_event(session: Session, ids: Collection[int], event: str) -> None:
    """One that no change of state alone stands for; call it after the posts were changed."""
    session.execute(_POSTS_MOVED, {"ids": list(ids), "event": event})


def enqueue_job_events(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Call it after the jobs' ends are written."""
    if not outcomes:
        return
    listening = _lock_listening_webhooks(session, JOB_COMPLETED)
    rows = [
        _delivery_row(webhook, message_id, JOB_COMPLETED, [outcome.job.profile_id], data)
        for outcome, message_id, data in (
            (finished, _message_id(), _job_data(finished)) for finished in outcomes
        )
        for webhook in listening
        if _concerned_profiles(webhook, [outcome.job.profile_id])
    ]
    _insert_deliveries(session, rows)


def enqueue_account_event(
    session: Session,
    account: Account,
    event: str,
    error: PressroomError,
    *,
    users: ColumnElement[bool] | None = None,
    held: str | None = None,
) -> None:
    """Tell each webhook about those of its profiles that use the account.

    `users`: limits these profiles. `held`: why nothing is sent through the account.
    """
    listening = _lock_listening_webhooks(session, event)
    if not listening:
        return
    concerns = select(Profile.id).where(Profile.account_id == account.id).order_by(Profile.id)
    profile_ids = session.scalars(concerns if users is None else concerns.where(users)).all()
    message_id, now = _message_id(), db.read_clock(session)
    rows = [
        _delivery_row(
            webhook,
            message_id,
            event,
            concerned,
            _account_data(account, now, concerned, error, held),
        )
        for webhook in listening
        if (concerned := _concerned_profiles(webhook, profile_ids))
    ]
    _insert_deliveries(session, rows)


def enqueue_server_event(session: Session, server: str, event: str) -> None:
    """Tell each webhook about those of its profiles whose account is on the server."""
    _enqueue_for_users(session, event, Account.server == server)


def enqueue_channel_event(session: Session, channel: Integration, event: str) -> None:
    """Tell each webhook about those of its profiles that use the channel's account."""
    data = {
        "integration": {
            "id": channel.id,
            "identifier": channel.identifier,
            "name": channel.name,
        },
        "state": channel.state,
        "reason": channel.state_reason,
    }
    _enqueue_for_users(session, event, Account.id == channel.account_id, data)


def enqueue_test(session: Session, webhook: Webhook) -> Delivery:
    """An event that stands for nothing, for this webhook alone, which must be locked."""
    data = {"webhook_id": str(webhook.id), "message": "A person asked for this test"}
    row = _delivery_row(webhook, _message_id(), WEBHOOK_TEST, list(webhook.profile_ids or ()), data)
    delivery = Delivery(**row)
    session.add(delivery)
    session.flush()
    session.refresh(delivery)
    return delivery


def _enqueue_for_users(
    session: Session,
    event: str,
    accounts: ColumnElement[bool],
    data: Mapping[str, object] | None = None,
) -> None:
    """`data`: what is told beside Postiz's address and the profiles that use these accounts."""
    listening = _lock_listening_webhooks(session, event)
    if not listening:
        return
    users = select(Profile.id).join(Account, Account.id == Profile.account_id)
    profile_ids = session.scalars(users.where(accounts).order_by(Profile.id)).all()
    base_url = session.scalar(select(func.min(Account.base_url)).where(accounts))
    message_id = _message_id()
    _insert_deliveries(
        session,
        [
            _delivery_row(
                webhook,
                message_id,
                event,
                concerned,
                {**(data or {}), "base_url": base_url, "profile_ids": concerned},
            )
            for webhook in listening
            if (concerned := _concerned_profiles(webhook, profile_ids))
        ],
    )


def _lock_listening_webhooks(session: Session, event: str) -> Sequence[Webhook]:
    """Locked against deletion until their deliveries are written."""
    query = select(Webhook).where(Webhook.enabled, Webhook.events.contains([event]))
    kept = query.order_by(Webhook.id).with_for_update(read=True, key_share=True)
    return session.scalars(kept).all()


def _concerned_profiles(webhook: Webhook, profile_ids: Sequence[str]) -> list[str]:
    """Those of these profiles about which the webhook may receive events."""
    bound = webhook.profile_ids
    return [profile_id for profile_id in profile_ids if bound is None or profile_id in bound]


def _message_id() -> str:
    return f"msg_{uuid.uuid4().hex}"


def _delivery_row(
    webhook: Webhook, message_id: str, event: str, profile_ids: list[str], data: dict[str, Any]
) -> dict[str, Any]:
    return {
        "webhook_id": webhook.id,
        "message_id": message_id,
        "event": event,
        "profile_ids": profile_ids,
        "data": data,
    }


def _insert_deliveries(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(Delivery), rows)


def _job_data(outcome: Outcome) -> dict[str, Any]:
    job = outcome.job
    return {
        "id": str(job.id),
        "kind": job.kind,
        "profile_id": job.profile_id,
        "state": outcome.state,
        "counts": dict(outcome.counts),
        "total": job.total,
        "percentage": outcome.percentage,
        "in_doubt": outcome.in_doubt,
        "overdue": outcome.overdue,
        "external_id": job.external_id,
        "created_at": format_utc(job.created_at),
        "updated_at": format_utc(outcome.touched_at),
        "finished_at": format_utc(outcome.finished_at),
    }


def _account_data(
    account: Account,
    now: datetime,
    profile_ids: Sequence[str],
    error: PressroomError,
    held: str | None,
) -> dict[str, Any]:
    """`profile_ids`: only those about which the webhook may receive events."""
    return {
        "id": str(account.id),
        "base_url": account.base_url,
        "profile_ids": list(profile_ids),
        "budget_limit": budget_state(account).most,
        "budget_remaining": budget_remaining(account, now),
        "resets_at": format_utc(account.window_ends_at),
        "blocked_until": format_utc(account.blocked_until),
        "healthy": account.healthy,
        "held": held,
        "error": {"code": error.code, "message": error.message, "hint": error.hint},
    }


def format_utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
