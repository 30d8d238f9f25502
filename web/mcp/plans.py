"""Plans: what `plan_posts` has shown, kept so that `publish_posts` publishes that and nothing else.

A plan is published with an idempotency key that is made of its id. So it becomes one job, however
often and whenever it is asked for. What is kept has the start and the seed of its times, and the
times themselves, which are compared with those that publishing gives.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, func, select

from shared.db import read_clock
from shared.errors import Conflict, NotFound
from shared.models import AgentPlan, IdempotencyKey
from web.auth import current_caller, current_profile, require_visible_profile
from web.request_parsing.shown_plan import ShownPlan
from web.services import current_services

KEPT = timedelta(minutes=15)
#: Plans of a caller that may still be published.
MOST = 100
_NEXT = "call plan_posts again, and publish the new plan_id"
#: Where the same words as above could have it published twice.
_LOOK_FIRST = (
    "If publish_posts was called with it before, it may have been published: look with list_posts, "
    f"and only if its posts are not there, {_NEXT}"
)
_BULK, _TIMES = "bulk", "times"


@dataclass(frozen=True, kw_only=True)
class KeptPlan:
    """`body`: of the bulk. `now`: when it was loaded."""

    id: str
    profile_id: str
    body: Mapping[str, Any]
    shown: ShownPlan
    now: datetime
    is_published: bool


def choose_profile(named: str | None) -> str:
    """`named`, or that of the request. Raises `NotFound` and `InvalidRequest`."""
    if named is not None:
        return require_visible_profile(named)
    with current_services().database.reading() as session:
        return current_profile(session)


def keep_plan(profile_id: str, body: Mapping[str, Any], times: Sequence[str]) -> AgentPlan:
    """`times`: of the rows, in ISO 8601. Raises `Conflict` for too many."""
    caller = current_caller()
    with current_services().database.transaction() as session:
        now = read_clock(session)
        open_plans = select(func.count()).where(
            AgentPlan.caller == caller.reference,
            AgentPlan.expires_at > now,
            caller.visible.condition(AgentPlan),
        )
        if (session.scalar(open_plans) or 0) >= MOST:
            raise Conflict(
                f"You have {MOST} plans open: publish what is needed, or wait until they expire, "
                f"{KEPT.seconds // 60} minutes after they were made",
                code="too_many_plans",
            )
        plan = AgentPlan(
            id=f"plan_{secrets.token_urlsafe(16)}",
            caller=caller.reference,
            profile_id=profile_id,
            body={_BULK: dict(body), _TIMES: list(times)},
            expires_at=now + KEPT,
        )
        session.add(plan)
    return plan


def idempotency_key(plan_id: str) -> str:
    return f"mcp:{plan_id}"


def load_plan(plan_id: str) -> KeptPlan:
    """One that may be published, or was. Raises `NotFound`, and `Conflict` for an expired one."""
    caller = current_caller()
    mine = (AgentPlan.caller == caller.reference, caller.visible.condition(AgentPlan))
    was_published = exists().where(
        IdempotencyKey.caller == caller.reference,
        IdempotencyKey.key == idempotency_key(plan_id),
    )
    with current_services().database.reading() as session:
        plan = session.scalar(select(AgentPlan).where(AgentPlan.id == plan_id, *mine))
        if plan is None:
            raise NotFound(f"There is no plan {plan_id[:80]!r} of this key. {_LOOK_FIRST}")
        now, is_published = read_clock(session), bool(session.scalar(select(was_published)))
        if plan.expires_at <= now and not is_published and _may_be_forgotten(plan, now):
            raise Conflict(f"The plan expired days ago. {_LOOK_FIRST}", code="plan_expired")
        if plan.expires_at <= now and not is_published:
            message = f"The plan expired, and nothing of it was published: {_NEXT}"
            raise Conflict(message, code="plan_expired")
        return KeptPlan(
            id=plan.id,
            profile_id=plan.profile_id,
            body=plan.body[_BULK],
            shown=ShownPlan(
                times=[datetime.fromisoformat(moment) for moment in plan.body[_TIMES]],
                made_at=plan.expires_at - KEPT,
            ),
            now=now,
            is_published=is_published,
        )


def _may_be_forgotten(plan: AgentPlan, now: datetime) -> bool:
    """Whether the idempotency key of a publication could have been deleted by now."""
    kept = timedelta(days=current_services().settings.idempotency_retention_days)
    return now > plan.expires_at - KEPT + kept
