"""Turns a bulk-publish body into an order, with a time for each row."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from shared.domain.timing.spacing import Spread, Taken
from shared.errors import FieldError
from shared.intake.request_rows import bulk_rows, ensure_seed, integrations_of, spread_of
from shared.intake.schemas import BulkPublishRequest
from shared.intake.validation import Order, Placed, RenameFaults, keep_fields
from shared.models import Account
from shared.posts import occupancy

#: The fields of a bulk that are stored in its job's options.
_JOB_OPTIONS = {
    "schedule_date",
    "schedule_interval_minutes",
    "schedule_jitter_minutes",
    "jitter_seed",
    "slots",
    "timezone",
    "daily_cap_per_integration",
    "min_gap_minutes_per_integration",
    "late_policy",
}


def bulk_order(
    body: BulkPublishRequest,
    profile_id: str,
    now: datetime,
    *,
    malformed: Mapping[int, Sequence[FieldError]] | None = None,
    rename_faults: RenameFaults = keep_fields,
) -> Order:
    """`malformed`: the faults of malformed rows, by index; these rows are empty in `body`."""
    body = ensure_seed(body)
    spread = spread_of(body, now)

    def place_rows(session: Session, account: Account) -> Placed:
        taken = _taken_times(session, account, body, spread) if spread.limited else {}
        return bulk_rows(body, spread, taken, malformed or {})

    return Order(
        kind="bulk_publish",
        profile_id=profile_id,
        body=body,
        rows=place_rows,
        now=now,
        options=body.model_dump(mode="json", include=_JOB_OPTIONS),
        late_policy=body.late_policy,
        rename_faults=rename_faults,
    )


def _taken_times(
    session: Session, account: Account, body: BulkPublishRequest, spread: Spread
) -> Taken:
    names = integrations_of(body)
    return occupancy.lock_due_times(session, account.id, names, since=spread.matters_from)
