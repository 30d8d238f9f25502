"""Prune: deletes rows whose retention is over, in small batches, and never unfinished work."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, CursorResult, and_, delete, exists, func, or_, select, update
from sqlalchemy import tuple_ as row_of
from sqlalchemy.orm import Session

from shared.accounts import holds
from shared.approvals import links as approval_links
from shared.config import Settings
from shared.domain.publishing.states import PostState
from shared.media import unused_media
from shared.models import (
    AccountMedia,
    AgentPlan,
    ApprovalLink,
    AuditEntry,
    CalendarLink,
    Delivery,
    Event,
    Handover,
    Hold,
    IdempotencyKey,
    Job,
    JobMedia,
    KeySession,
    OneTimeLink,
    Post,
    RetiredKey,
    ScheduleRun,
    Submission,
    UserSession,
    Webhook,
)
from shared.people import key_sessions, sessions

#: Maximum rows per transaction, so that locks are short.
BATCH = 500
JOB_BATCH = 20
#: Final states of posts. A scheduled post is not final: it is still tracked.
FINAL_STATES = (PostState.PUBLISHED, PostState.FAILED, PostState.CANCELLED, PostState.DRAFT)


def delete_old_idempotency_keys(session: Session, settings: Settings) -> int:
    key = (IdempotencyKey.caller, IdempotencyKey.key)
    old = IdempotencyKey.created_at < _days_ago(settings.idempotency_retention_days)
    query = select(*key).where(old).limit(BATCH).with_for_update(skip_locked=True)
    return _delete_rows(session, delete(IdempotencyKey).where(row_of(*key).in_(query)))


def delete_old_plans(session: Session, settings: Settings) -> int:
    """A day after their idempotency keys, by which a repeated call gets the same job, are over."""
    old = AgentPlan.created_at < _days_ago(settings.idempotency_retention_days + 1)
    batch = select(AgentPlan.id).where(old).limit(BATCH).with_for_update(skip_locked=True)
    return _delete_rows(session, delete(AgentPlan).where(AgentPlan.id.in_(batch)))


def delete_ended_keys(session: Session, _: Settings) -> int:
    """What rotated keys were before, once the overlap is over."""
    query = select(RetiredKey.key_hash).where(RetiredKey.valid_until < func.now()).limit(BATCH)
    some = query.with_for_update(skip_locked=True)
    return _delete_rows(session, delete(RetiredKey).where(RetiredKey.key_hash.in_(some)))


def delete_ended_sessions(session: Session, _: Settings) -> int:
    """Sessions of people that nobody can use any more."""
    some = select(UserSession.token_hash).where(sessions.has_ended()).limit(BATCH)
    batch = some.with_for_update(skip_locked=True)
    return _delete_rows(session, delete(UserSession).where(UserSession.token_hash.in_(batch)))


def delete_ended_key_sessions(session: Session, _: Settings) -> int:
    """Those of browsers that a key had signed in; others go with their keys."""
    some = select(KeySession.token_hash).where(key_sessions.has_ended()).limit(BATCH)
    batch = some.with_for_update(skip_locked=True)
    return _delete_rows(session, delete(KeySession).where(KeySession.token_hash.in_(batch)))


def delete_ended_links(session: Session, _: Settings) -> int:
    """Links that were not used in time."""
    some = select(OneTimeLink.token_hash).where(OneTimeLink.valid_until < func.now()).limit(BATCH)
    batch = some.with_for_update(skip_locked=True)
    return _delete_rows(session, delete(OneTimeLink).where(OneTimeLink.token_hash.in_(batch)))


def delete_ended_approval_links(session: Session, _: Settings) -> int:
    """Those whose pages have said for long enough that they ended; others go with their jobs."""
    end = func.coalesce(ApprovalLink.revoked_at, ApprovalLink.expires_at)
    some = select(ApprovalLink.id).where(end < func.now() - approval_links.SAYS_WHY_FOR)
    batch = some.limit(BATCH).with_for_update(skip_locked=True)
    return _delete_rows(session, delete(ApprovalLink).where(ApprovalLink.id.in_(batch)))


def delete_ended_calendars(session: Session, _: Settings) -> int:
    """Calendar links of keys that have expired."""
    some = select(CalendarLink.id).where(CalendarLink.expires_at < func.now()).limit(BATCH)
    batch = some.with_for_update(skip_locked=True)
    return _delete_rows(session, delete(CalendarLink).where(CalendarLink.id.in_(batch)))


def delete_old_timelines(session: Session, settings: Settings) -> int:
    """Delete the events of old ended jobs; the jobs themselves may stay longer."""
    if not settings.event_retention_days:
        return 0
    jobs = _lock_ended_jobs(session, settings.event_retention_days, ~Job.timeline_pruned)
    batch = select(Event.id).where(Event.job_id.in_(jobs)).limit(BATCH)
    number = _delete_rows(session, delete(Event).where(Event.id.in_(batch)))
    if number < BATCH:
        session.execute(update(Job).where(Job.id.in_(jobs)).values(timeline_pruned=True))
    return number + len(jobs)


def delete_old_jobs(session: Session, settings: Settings) -> int:
    """Delete old ended jobs with everything that belongs to them."""
    if not settings.job_retention_days:
        return 0
    ids = _lock_ended_jobs(session, settings.job_retention_days)
    before = _days_ago(settings.job_retention_days)
    query = select(Post.id).where(Post.job_id.in_(ids), ~_is_unfinished(before)).limit(BATCH)
    posts = session.scalars(query.with_for_update(skip_locked=True)).all()
    session.execute(delete(Event).where(Event.post_id.in_(posts)))
    session.execute(delete(Handover).where(Handover.post_id.in_(posts)))
    session.execute(delete(Post).where(Post.id.in_(posts)))
    return len(posts) + _delete_empty_jobs(session, ids)


def delete_old_submissions(session: Session, settings: Settings) -> int:
    """Delete old calls that nothing refers to, and whose drafts are no longer searched.

    A call with a future marker stays, because its marker must not be given to another call.
    """
    if not settings.job_retention_days:
        return 0
    query = select(Submission.id).where(
        Submission.sent_at < _days_ago(settings.job_retention_days),
        Submission.marker_at < func.now(),
        Submission.state.not_in(("sending", "unclear")),
        Submission.litter_at.is_(None),
        ~exists().where(Post.submission_id == Submission.id),
        ~exists().where(Handover.submission_id == Submission.id),
    )
    batch = query.limit(BATCH).with_for_update(skip_locked=True)
    return _delete_rows(session, delete(Submission).where(Submission.id.in_(batch)))


def delete_old_runs(session: Session, settings: Settings) -> int:
    """Delete old runs of schedules; their fire times are past and cannot run again."""
    if not settings.job_retention_days:
        return 0
    old = ScheduleRun.created_at < _days_ago(settings.job_retention_days)
    batch = select(ScheduleRun.id).where(old).limit(BATCH).with_for_update(skip_locked=True)
    return _delete_rows(session, delete(ScheduleRun).where(ScheduleRun.id.in_(batch)))


def delete_old_deliveries(session: Session, settings: Settings) -> int:
    """Delete old deliveries to webhooks; pending ones stay."""
    return _delete_deliveries(session, settings, Delivery.state != "pending")


def delete_undeliverable(session: Session, settings: Settings) -> int:
    """Delete old pending deliveries of disabled webhooks, which may never be enabled again."""
    disabled = exists().where(Webhook.id == Delivery.webhook_id, Webhook.enabled.is_(False))
    return _delete_deliveries(session, settings, Delivery.state == "pending", disabled)


def _delete_deliveries(
    session: Session, settings: Settings, *conditions: ColumnElement[bool]
) -> int:
    if not settings.delivery_retention_days:
        return 0
    old = Delivery.created_at < _days_ago(settings.delivery_retention_days)
    batch = (
        select(Delivery.id).where(old, *conditions).limit(BATCH).with_for_update(skip_locked=True)
    )
    return _delete_rows(session, delete(Delivery).where(Delivery.id.in_(batch)))


def delete_old_audit_entries(session: Session, settings: Settings) -> int:
    """Who changed what is known for a year at least: the settings allow no less."""
    old = AuditEntry.at < _days_ago(settings.audit_retention_days)
    batch = select(AuditEntry.id).where(old).limit(BATCH).with_for_update(skip_locked=True)
    return _delete_rows(session, delete(AuditEntry).where(AuditEntry.id.in_(batch)))


def delete_unused_holds(session: Session, _: Settings) -> int:
    """Delete holds of keys that no profile uses any more."""
    return _delete_rows(session, delete(Hold).where(holds.is_unused()))


#: Each step deletes a batch, and returns 0 if nothing is left.
STEPS: dict[str, Callable[[Session, Settings], int]] = {
    "idempotency keys": delete_old_idempotency_keys,
    "plans of agents": delete_old_plans,
    "rotated keys": delete_ended_keys,
    "sessions": delete_ended_sessions,
    "key sessions": delete_ended_key_sessions,
    "one-time links": delete_ended_links,
    "approval links": delete_ended_approval_links,
    "calendar links": delete_ended_calendars,
    "timelines": delete_old_timelines,
    "jobs": delete_old_jobs,
    "submissions": delete_old_submissions,
    "runs of schedules": delete_old_runs,
    "deliveries": delete_old_deliveries,
    "deliveries to disabled webhooks": delete_undeliverable,
    "audit trail": delete_old_audit_entries,
    "holds": delete_unused_holds,
}


def _days_ago(days: float) -> ColumnElement[datetime]:
    return func.now() - timedelta(days=days)


def _lock_ended_jobs(
    session: Session, days: float, *conditions: ColumnElement[bool]
) -> Collection[int]:
    """The oldest ended jobs, locked so that nobody retries them meanwhile."""
    before = _days_ago(days)
    query = (
        select(Job.id)
        .where(Job.finished_at < before, *conditions)
        .where(~exists().where(Post.job_id == Job.id, _is_unfinished(before)))
        .where(~exists().where(JobMedia.job_id == Job.id, _waits_for_upload()))
        .order_by(Job.finished_at)
        .limit(JOB_BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return session.scalars(query).all()


def _is_unfinished(before: ColumnElement[datetime]) -> ColumnElement[bool]:
    """The post may still change, needs a person's decision, or ended recently."""
    in_postiz = exists().where(Handover.post_id == Post.id, Handover.state == "discarded")
    return or_(
        Post.state.not_in(FINAL_STATES),
        Post.track_at.is_not(None),
        Post.take_back,
        Post.updated_at >= before,
        and_(Post.state == PostState.FAILED, Post.error_code == "outcome_unknown"),
        in_postiz,
    )


def _waits_for_upload() -> ColumnElement[bool]:
    return exists().where(
        AccountMedia.id == JobMedia.account_media_id,
        AccountMedia.state.in_(("pending", "uploading")),
    )


def _delete_empty_jobs(session: Session, ids: Collection[int]) -> int:
    """Delete those of the jobs without posts, and removed media that no other job shows."""
    empty = select(Job.id).where(Job.id.in_(ids), ~exists().where(Post.job_id == Job.id))
    gone = session.scalars(empty).all()
    brought = select(AccountMedia.media_id).join(
        JobMedia, JobMedia.account_media_id == AccountMedia.id
    )
    media = session.scalars(brought.where(JobMedia.job_id.in_(gone)).distinct()).all()
    number = _delete_rows(session, delete(Job).where(Job.id.in_(gone)))
    unused_media.drop_rows(session, media)
    return number


def _delete_rows(session: Session, query: object) -> int:
    result = session.execute(query, execution_options={"synchronize_session": False})  # type: ignore[call-overload]
    assert isinstance(result, CursorResult)
    return result.rowcount
