"""A plan that somebody was shown: what is accepted of it has the times that it showed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import request

from shared.domain.publishing.planner import LATE
from shared.errors import Conflict
from shared.intake.validation import Checked
from shared.posts.late_policy import LatePolicy
from web.serializers.plans import compute_times_tag

#: Where a request that we make to ourselves has its plan; no header can set it.
SHOWN_PLAN = "pressroom.shown_plan"
OUTDATED = "plan_outdated"


@dataclass(frozen=True, kw_only=True)
class ShownPlan:
    """`times`: of its rows, in their order."""

    times: Sequence[datetime]
    made_at: datetime


def require_as_shown(checked: Checked) -> None:
    """In the transaction that accepts it. Raises `Conflict` if something has changed since."""
    shown: ShownPlan | None = request.environ.get(SHOWN_PLAN)
    if shown is None:
        return
    if [row.row.publish_at for row in checked.rows] != list(shown.times):
        raise _outdated(
            "other posts were accepted on its channels meanwhile, and have taken times of it"
        )
    policy, now = LatePolicy(checked.order.late_policy), checked.order.now
    passed = [at for at in shown.times if shown.made_at - LATE <= at < now - LATE]
    if passed and policy is not LatePolicy.PUBLISH:
        minutes = LATE.seconds // 60
        raise _outdated(
            f"times of the plan passed more than {minutes} minutes ago (late_policy {policy})"
        )


def require_times(checked: Checked, tag: str) -> None:
    """`tag`: of the plan; empty: any times. Raises `Conflict` if the times are others by now."""
    if tag and tag != compute_times_tag(checked):
        raise _outdated("times of the plan have passed or were taken meanwhile")


def _outdated(why: str) -> Conflict:
    message = f"Nothing was published: {why}. Make the plan again, and show the new one"
    return Conflict(message, code=OUTDATED)
