"""Schedules and their runs as replies show them."""

from typing import Any

from shared.intake.validation import Checked
from shared.models import Schedule, ScheduleRun
from shared.schedules import runs
from web.schemas.schedules import RunError, RunView, SavedSchedule, ScheduleSummary, ScheduleView
from web.serializers import planned_posts

#: At most this many warnings are listed.
TOLD = 100


def schedule_summary(row: Schedule) -> ScheduleSummary:
    return ScheduleSummary(**_schedule_fields(row))


def schedule_view(row: Schedule) -> ScheduleView:
    return ScheduleView(**_schedule_fields(row), **_content_fields(row))


def saved_schedule(row: Schedule, checked: Checked | None) -> SavedSchedule:
    warnings = planned_posts.warning_views(checked)[:TOLD] if checked else []
    return SavedSchedule(**_schedule_fields(row), **_content_fields(row), warnings=warnings)


def _schedule_fields(row: Schedule) -> dict[str, Any]:
    copied = set(ScheduleSummary.model_fields) - {"id", "enabled"}
    fields = {name: getattr(row, name) for name in copied}
    return {**fields, "id": str(row.id), "enabled": row.next_fire_at is not None}


def _content_fields(row: Schedule) -> dict[str, Any]:
    return {kind: row.body if row.kind == kind else None for kind in runs.KINDS}


def run_view(row: ScheduleRun) -> RunView:
    error = None
    if row.error_code is not None:
        error = RunError(code=row.error_code, message=row.error_message or "")
    return RunView.model_validate(
        {
            **{name: getattr(row, name) for name in set(RunView.model_fields) - {"error"}},
            "id": str(row.id),
            "schedule_id": str(row.schedule_id),
            "job_id": None if row.job_id is None else str(row.job_id),
            "error": error,
        }
    )
