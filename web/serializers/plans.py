"""A dry run's answer: what would be published when, and how many counted calls it costs."""

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy.orm import Session

from shared.crypto import hash_secret
from shared.domain.publishing.handoff import CALENDAR
from shared.domain.publishing.planner import Forecast, forecast_posts
from shared.domain.rows.post_rows import CheckedRow
from shared.domain.timing.spacing import LATEST
from shared.intake import forecast_inputs
from shared.intake.schemas import BulkPublishRequest
from shared.intake.validation import Checked
from shared.posts.late_policy import LatePolicy
from web.schemas.publishing import FaultOfRow, Handovers, Plan, PlannedRow, PlanWarning
from web.serializers import planned_posts
from web.services import current_services


def _forecast_order(session: Session, checked: Checked) -> Forecast:
    """With the planner that the workers use too."""
    posts = forecast_inputs.planner_candidates(
        session,
        checked.account,
        checked.posts,
        handoff=checked.handoff,
        as_draft=checked.order.body.save_as_draft,
    )
    order = checked.order
    terms = forecast_inputs.planner_terms(
        session, checked.account, current_services().settings, order.now
    )
    leaves_late = LatePolicy(order.late_policy) is not LatePolicy.PUBLISH
    return forecast_posts(posts, replace(terms, leaves_late=leaves_late))


def plan_view(session: Session, checked: Checked) -> Plan:
    totals = _forecast_order(session, checked)
    posts = len(checked.posts)
    in_calendar = checked.handoff == CALENDAR
    return Plan(
        posts=posts,
        counted_calls=len(totals.calls),
        first_at=totals.first_at,
        finishes_at=totals.finishes_at,
        late_posts=len(totals.late),
        requires_approval=checked.requires_approval,
        handoff=Handovers(calendar=posts) if in_calendar else Handovers(staged=posts),
        jitter_seed=checked.order.options.get("jitter_seed"),
        times_tag=compute_times_tag(checked),
        warnings=[*_late_warnings(checked, totals), *planned_posts.warning_views(checked)],
        rows=[_row_view(checked, row) for row in checked.rows],
    )


def compute_times_tag(checked: Checked) -> str:
    """The same for the same times; empty where all are counted from now, and move with it."""
    body = checked.order.body
    stand = isinstance(body, BulkPublishRequest) and (body.slots or body.schedule_date)
    return hash_secret(*(str(row.row.publish_at) for row in checked.rows))[:16] if stand else ""


def _row_view(checked: Checked, row: CheckedRow) -> PlannedRow:
    moment = row.row.publish_at
    return PlannedRow(
        index=row.row.position,
        ok=not row.faults,
        publish_at=moment if moment < LATEST else None,
        errors=faults_of(checked, row),
        posts=planned_posts.post_views(row),
    )


def faults_of(checked: Checked, row: CheckedRow) -> list[FaultOfRow]:
    return [
        FaultOfRow(code=fault.code, message=fault.message, field=fault.field, remedy=fault.remedy)
        for fault in checked.order.rename_faults(row.faults)
    ]


_LATE = {
    LatePolicy.PUBLISH: "go out late",
    LatePolicy.SKIP: "are left out",
    LatePolicy.HOLD: "are held until you retry or cancel them",
}


def _late_warnings(checked: Checked, totals: Forecast) -> Iterator[PlanWarning]:
    policy = LatePolicy(checked.order.late_policy)
    if totals.late:
        yield PlanWarning(
            code=f"late_{policy}",
            message=f"{len(totals.late)} posts cannot be out in time, and {_LATE[policy]}",
            indexes=sorted({checked.posts[number].row.position for number in totals.late}),
        )
