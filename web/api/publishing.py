"""Publish and bulk-publish: a request becomes a job, with a post per row and integration."""

from datetime import datetime

from flask import Response
from sqlalchemy.orm import Session

from shared import db
from shared.intake import job_creation, validation
from shared.intake.bulk_rows import bulk_order
from shared.intake.request_rows import single_row
from shared.intake.schemas import PublishRequest
from shared.intake.validation import Checked, Order, Placed
from web.api.resource import problems, resource
from web.auth import current_profile
from web.openapi.bulk_body import ROWS
from web.parsing import live_integrations
from web.parsing.bulk_request import BulkRequest, read_bulk
from web.schemas.publishing import (
    BulkJobReply,
    BulkQuery,
    JobReply,
    PlanReply,
    SkippedRow,
)
from web.serializers import planned_posts, plans
from web.serializers.rows import location, new_job_view
from web.services import services
from web.wire.idempotency import Reply, once

#: So many of the rows that were left out, and of the warnings, are told; a dry run tells all.
TOLD = 100

api = resource("publishing", "Posts, one or ten thousand", write="publish")


@api.post("/postiz/publish", responses={202: JobReply, **problems(409, 422)})
def publish(body: PublishRequest) -> Response:
    """Publish a caption and media through one or more integrations"""
    now = _now()
    row = single_row(body, now)
    order = Order(
        kind="publish",
        profile_id=_profile(),
        body=body,
        rows=lambda _session, _account: Placed(rows=[row]),
        now=now,
        external_id=body.external_id,
        options={"timezone": body.timezone},
    )
    return once(lambda session: _accepted(session, order))


def _accepted(session: Session, order: Order) -> Reply:
    checked = _checked(session, order)
    validation.require_faultless(checked)
    job, wake = validation.accept(session, checked)
    shown = JobReply(job=new_job_view(session, job), warnings=planned_posts.warnings(checked))
    return Reply(
        body=shown,
        status=202,
        headers=location(job),
        afterwards=lambda: wake.send(services().waker),
    )


@api.post(
    "/postiz/bulk-publish",
    responses={200: PlanReply, 202: BulkJobReply, **problems(409, 413, 422)},
    openapi_extensions=ROWS,
)
def bulk_publish(query: BulkQuery) -> Response:
    """Publish up to 10,000 rows, each at its own time, in slots, or spread from a start

    JSON, or CSV with a row per item. With `dry_run`, only the plan is made.
    """
    sent = read_bulk(query)
    order = _bulk_order(sent)
    if query.dry_run:
        return _planned(order)
    return once(
        lambda session: _bulk_accepted(session, order, skip_invalid=query.skip_invalid),
        content=sent.content,
    )


def _bulk_order(sent: BulkRequest) -> Order:
    now = _now()
    return bulk_order(sent.body, _profile(), now, malformed=sent.malformed, named=sent.named)


def _planned(order: Order) -> Response:
    with services().database.transaction() as session:
        plan = plans.plan_view(session, _checked(session, order))
        session.rollback()  # what is asked for may not leave a trace
    return Reply(body=PlanReply(plan=plan)).response()


def _bulk_accepted(session: Session, order: Order, *, skip_invalid: bool) -> Reply:
    checked = _checked(session, order)
    validation.require_faultless(checked, skip_invalid=skip_invalid)
    job, wake = validation.accept(session, checked)
    shown = BulkJobReply(
        job=new_job_view(session, job),
        warnings=planned_posts.warnings(checked)[:TOLD],
        skipped=len(checked.invalid),
        skipped_rows=_skipped(checked),
    )
    return Reply(
        body=shown,
        status=202,
        headers=location(job),
        afterwards=lambda: wake.send(services().waker),
    )


def _skipped(checked: Checked) -> list[SkippedRow]:
    return [
        SkippedRow(index=row.row.position, errors=plans.faults_of(checked, row))
        for row in checked.invalid[:TOLD]
    ]


def _checked(session: Session, order: Order) -> Checked:
    return validation.check(session, order, services().settings, services().box)


def _now() -> datetime:
    with services().database.transaction() as session:
        return db.clock(session)


def _profile() -> str:
    """The profile, with an account, and with its integrations as fresh as may be had at once."""
    with services().database.transaction() as session:
        profile_id = current_profile(session)
        job_creation.account_for(session, profile_id, services().settings, services().box)
    live_integrations.refresh(profile_id)
    return profile_id
