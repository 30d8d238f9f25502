"""Edits of many posts at once: their content, or when they are due."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Response
from sqlalchemy.orm import Session

from shared import db
from shared.domain.timing.spacing import Spread, Wish, assign_times
from shared.intake import post_edits
from shared.intake.calendar_times import in_calendar
from shared.models import Post
from shared.posts import bulk_edits
from shared.posts.bulk_edits import Edited, PlanEdit
from shared.posts.edits import Edit
from web.api.control import refused_views, wake_accounts
from web.api.resource import create_blueprint, problem_responses, refuse_past_approval
from web.http_layer.idempotency import Reply
from web.request_parsing.post_filters import filter_from_body
from web.schemas.control import (
    DryRunQuery,
    EditedView,
    PlannedChange,
    WhichToEdit,
    WhichToMove,
)
from web.services import current_services

api = create_blueprint("edits", "Changes of many posts", write="publish")
api.before_request(refuse_past_approval)
_RESPONSES = {200: PlannedChange, 202: EditedView, **problem_responses(422)}


@api.post("/posts/reschedule", responses=_RESPONSES)
def reschedule_posts(query: DryRunQuery, body: WhichToMove) -> Response:
    """Move these posts by some minutes, or let them follow each other from a start

    In the order in which they are due now. Each is moved or refused by itself, as by `PATCH`.
    """
    database = current_services().database
    ids, now = bulk_edits.find_matching_posts(database, filter_from_body(body)), _now()
    if body.shift_minutes is not None:
        plan = _shift(timedelta(minutes=body.shift_minutes), now)
    else:
        plan = _follow(_times_of(body, bulk_edits.find_editable(database, ids)), now)
    edited = bulk_edits.edit_matching_posts(database, ids, plan, dry_run=query.dry_run)
    return _edited_response(edited, dry_run=query.dry_run)


@api.post("/posts/edit", responses=_RESPONSES)
def edit_posts(query: DryRunQuery, body: WhichToEdit) -> Response:
    """Give these posts new content, media or settings, each by the rules of its network"""
    database = current_services().database
    ids, now = bulk_edits.find_matching_posts(database, filter_from_body(body)), _now()

    def plan(session: Session, post: Post) -> Edit:
        edit = post_edits.plan_content(session, post, body)
        if body.publish_at is None:
            return edit
        moved = post_edits.plan_time(post, body.publish_at, body.timezone, now)
        return replace(edit, publish_at=moved.publish_at)

    edited = bulk_edits.edit_matching_posts(database, ids, plan, dry_run=query.dry_run)
    return _edited_response(edited, dry_run=query.dry_run)


def _now() -> datetime:
    with current_services().database.transaction() as session:
        return db.read_clock(session)


def _shift(by: timedelta, now: datetime) -> PlanEdit:
    def plan(_: Session, post: Post) -> Edit:
        return post_edits.plan_shift(post, by, now)

    return plan


def _follow(times: Mapping[int, datetime], now: datetime) -> PlanEdit:
    def plan(_: Session, post: Post) -> Edit:
        # one that became editable meanwhile keeps its time
        moment = times.get(post.id)
        return Edit() if moment is None else post_edits.plan_time(post, moment, "UTC", now)

    return plan


def _times_of(body: WhichToMove, ids: Sequence[int]) -> dict[int, datetime]:
    assert body.schedule_date is not None  # as the schema demands
    spread = Spread(
        start=in_calendar(body.schedule_date, body.timezone, "schedule_date"),
        zone=ZoneInfo(body.timezone),
        interval=timedelta(minutes=body.schedule_interval_minutes),
        walls=[time.fromisoformat(wall) for wall in body.slots or ()],
    )
    return dict(zip(ids, assign_times([Wish()] * len(ids), spread, {}), strict=True))


def _edited_response(edited: Edited, *, dry_run: bool) -> Response:
    refused = refused_views(edited.refused)
    if dry_run:
        planned = PlannedChange(
            matched=edited.matched, would_change=edited.changed, refused=refused
        )
        return Reply(body=planned).response()
    wake_accounts(edited.account_ids)
    changed = EditedView(matched=edited.matched, changed=edited.changed, refused=refused)
    return Reply(body=changed, status=202).response()
