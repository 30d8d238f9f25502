"""Publish and bulk-publish: a request becomes a job, with a post per row and integration."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial

from flask import Response
from sqlalchemy.orm import Session

from shared import db
from shared.intake import targets, validation
from shared.intake.bulk_rows import bulk_order
from shared.intake.request_rows import integrations_of, single_row
from shared.intake.schemas import PublishRequest
from shared.intake.targets import Target
from shared.intake.validation import Checked, Order, Placed
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_profile
from web.http_layer.idempotency import Reply
from web.openapi.bulk_body import ROWS
from web.request_parsing import live_integrations
from web.request_parsing.bulk_request import BulkRequest, read_bulk
from web.request_parsing.known_target import answer_for_target, with_approval
from web.request_parsing.shown_plan import require_as_shown, require_times
from web.schemas.publishing import (
    BulkJobReply,
    BulkQuery,
    JobReply,
    PlanReply,
    SkippedRow,
)
from web.serializers import planned_posts, plans
from web.serializers.rows import accepted_job_view, location_header
from web.services import current_services

#: At most this many skipped rows, and warnings, are listed; a dry run lists all.
TOLD = 100

api = create_blueprint("publishing", "Posts, one or ten thousand", write="publish")


@api.post("/postiz/publish", responses={202: JobReply, **problem_responses(409, 422)})
def publish(body: PublishRequest) -> Response:
    """Publish a caption and media through one or more integrations"""

    def build_order(profile_id: str, now: datetime) -> Order:
        row = single_row(body, now)
        return Order(
            kind="publish",
            profile_id=profile_id,
            body=body,
            rows=lambda _session, _account: Placed(rows=[row]),
            now=now,
            external_id=body.external_id,
            options={"timezone": body.timezone},
        )

    return _check_and_answer(build_order, body.integration_ids, _accept_order)


def _accept_order(session: Session, checked: Checked) -> Reply:
    validation.require_faultless(checked)
    job, wake = validation.accept_order(session, checked, current_services().settings)
    shown = JobReply(
        job=accepted_job_view(session, job, checked),
        warnings=planned_posts.warning_views(checked),
    )
    return Reply(
        body=shown,
        status=202,
        headers=location_header(job),
        afterwards=lambda: wake.send(current_services().waker),
    )


@api.post(
    "/postiz/bulk-publish",
    responses={200: PlanReply, 202: BulkJobReply, **problem_responses(409, 413, 422)},
    openapi_extensions=ROWS,
)
def bulk_publish(query: BulkQuery) -> Response:
    """Publish up to 10,000 rows, each at its own time, in slots, or spread from a start

    JSON, or CSV with a row per item. With `dry_run`, only the plan is made.
    """
    sent = read_bulk(query)
    if query.dry_run:
        return _plan_response(sent)
    return _check_and_answer(
        partial(_build_bulk_order, sent),
        integrations_of(sent.body),
        partial(_accept_bulk_order, query),
        content=sent.content,
    )


def _build_bulk_order(sent: BulkRequest, profile_id: str, now: datetime) -> Order:
    return bulk_order(
        sent.body, profile_id, now, malformed=sent.malformed, rename_faults=sent.named
    )


def _plan_response(sent: BulkRequest) -> Response:
    """Nothing is prepared: the account is recognised, and every transaction can only read."""
    ours = current_services()
    with ours.database.reading() as session:
        now, profile_id = db.read_clock(session), current_profile(session)
    found = live_integrations.look_up_integrations(profile_id, integrations_of(sent.body))
    order = _build_bulk_order(sent, profile_id, now)
    with ours.database.reading() as session:
        target = with_approval(targets.recognize_target(session, profile_id, found))
        checked = validation.check_order(session, order, target, ours.settings)
        plan = plans.plan_view(session, checked)
    return Reply(body=PlanReply(plan=plan)).response()


def _accept_bulk_order(query: BulkQuery, session: Session, checked: Checked) -> Reply:
    require_as_shown(checked)
    require_times(checked, query.times_tag)
    validation.require_faultless(checked, skip_invalid=query.skip_invalid)
    job, wake = validation.accept_order(session, checked, current_services().settings)
    shown = BulkJobReply(
        job=accepted_job_view(session, job, checked),
        warnings=planned_posts.warning_views(checked)[:TOLD],
        skipped=len(checked.invalid),
        skipped_rows=_list_skipped_rows(checked),
    )
    return Reply(
        body=shown,
        status=202,
        headers=location_header(job),
        afterwards=lambda: wake.send(current_services().waker),
    )


def _list_skipped_rows(checked: Checked) -> list[SkippedRow]:
    return [
        SkippedRow(index=row.row.position, errors=plans.faults_of(checked, row))
        for row in checked.invalid[:TOLD]
    ]


def _check_and_answer(
    build_order: Callable[[str, datetime], Order],
    wanted: Collection[str],
    accept: Callable[[Session, Checked], Reply],
    *,
    content: str | None = None,
) -> Response:
    """Check and accept in one transaction, and once for an idempotency key."""

    def work(session: Session, profile_id: str, target: Target) -> Reply:
        order = build_order(profile_id, db.read_clock(session))
        settings = current_services().settings
        return accept(session, validation.check_order(session, order, target, settings))

    return answer_for_target(work, wanted, content=content)
