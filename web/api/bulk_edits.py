"""Edits of many posts at once: their content, or when they are due."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Response
from sqlalchemy.orm import Session

from shared import db
from shared.domain.timing import local_time
from shared.domain.timing.spacing import Spread, Wish, assign_times
from shared.intake import post_edits
from shared.intake.calendar_times import in_calendar
from shared.models import Post
from shared.posts import bulk_edits
from shared.posts.bulk_edits import BulkEdit, Edited, PlanEdit
from shared.posts.day_caps import FindTarget
from shared.posts.edits import Edit
from shared.posts.post_queries import PostFilter
from shared.posts.requested_edits import EditRequest
from web.api.control import refused_views, wake_accounts
from web.api.resource import create_blueprint, problem_responses, refuse_past_approval
from web.http_layer.continued import answer_continued
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
    now = _now()

    def plan_all(left: Sequence[int], done: Collection[int]) -> Plan:
        if body.shift_minutes is not None:
            return _shift(timedelta(minutes=body.shift_minutes), now)
        return _follow(_times_of(body, left, done), now)

    return _edit_once(filter_from_body(body), plan_all, dry_run=query.dry_run)


@api.post("/posts/edit", responses=_RESPONSES)
def edit_posts(query: DryRunQuery, body: WhichToEdit) -> Response:
    """Give these posts new content, media or settings, each by the rules of its network"""
    now, moment = _now(), body.publish_at
    target = None if moment is None else in_calendar(moment, body.timezone, "publish_at")

    def plan(session: Session, post: Post) -> Edit:
        edit = post_edits.plan_content(session, post, body)
        if target is None:
            return edit
        moved = post_edits.plan_time(post, target, "UTC", now)
        return replace(edit, publish_at=moved.publish_at)

    whole = Plan(find_target=lambda *_: target, of_each=plan)
    return _edit_once(filter_from_body(body), lambda *_: whole, dry_run=query.dry_run)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`find_target`: where each is moved to, as `of_each` says if it does not refuse it."""

    find_target: FindTarget
    of_each: PlanEdit


#: How to edit each of these posts, which are left; the others the same request has edited before.
PlanAll = Callable[[Sequence[int], Collection[int]], Plan]


def _edit_once(wanted: PostFilter, plan_all: PlanAll, *, dry_run: bool) -> Response:
    """A repeated request (`Idempotency-Key`) goes on where it was broken off."""
    database = current_services().database

    def edit(request: EditRequest | None) -> Reply:
        done: set[int] = set()
        if request is not None:
            with database.transaction() as session:
                done = request.find_done(session)
        ids = bulk_edits.find_matching_posts(database, wanted)
        left = bulk_edits.find_editable(database, [each for each in ids if each not in done])
        planned = plan_all(left, done)
        plan, moves = bulk_edits.within_day_caps(
            database, left, planned.find_target, planned.of_each
        )
        work = BulkEdit(plan=plan, moves=moves, dry_run=dry_run, request=request)
        return _edited_reply(bulk_edits.edit_matching_posts(database, ids, work, done), work)

    return edit(None).response() if dry_run else answer_continued(edit)


def _now() -> datetime:
    with current_services().database.transaction() as session:
        return db.read_clock(session)


def _shift(by: timedelta, now: datetime) -> Plan:
    return Plan(
        find_target=lambda _, moment: local_time.in_calendar(moment) + by,
        of_each=lambda _, post: post_edits.plan_shift(post, by, now),
    )


def _follow(times: Mapping[int, datetime], now: datetime) -> Plan:
    def plan(_: Session, post: Post) -> Edit:
        # one that became editable meanwhile keeps its time
        moment = times.get(post.id)
        return Edit() if moment is None else post_edits.plan_time(post, moment, "UTC", now)

    return Plan(find_target=lambda post_id, _: times.get(post_id), of_each=plan)


def _times_of(body: WhichToMove, left: Sequence[int], done: Collection[int]) -> dict[int, datetime]:
    """Without the times that were given to posts before, by the same request."""
    assert body.schedule_date is not None  # as the schema demands
    spread = Spread(
        start=in_calendar(body.schedule_date, body.timezone, "schedule_date"),
        zone=ZoneInfo(body.timezone),
        interval=timedelta(minutes=body.schedule_interval_minutes),
        walls=[time.fromisoformat(wall) for wall in body.slots or ()],
    )
    times = assign_times([Wish()] * (len(left) + len(done)), spread, {})
    free = Counter(times) - Counter(bulk_edits.read_times(current_services().database, done))
    return dict(zip(left, sorted(free.elements()), strict=False))


def _edited_reply(edited: Edited, work: BulkEdit) -> Reply:
    refused = refused_views(edited.refused)
    if work.dry_run:
        planned = PlannedChange(
            matched=edited.matched, would_change=edited.changed, refused=refused
        )
        return Reply(body=planned)
    wake_accounts(edited.account_ids)
    changed = EditedView(matched=edited.matched, changed=edited.changed, refused=refused)
    return Reply(body=changed, status=202)
