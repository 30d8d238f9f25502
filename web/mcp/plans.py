"""Plans: what `plan_posts` has shown, kept so that `publish_posts` publishes that and nothing else.

A plan is published with an idempotency key that is made of its id. So it becomes one job, however
often and whenever it is asked for.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import exists, func, select

from shared.db import read_clock
from shared.errors import Conflict, NotFound
from shared.models import AgentPlan, IdempotencyKey
from web.auth import current_caller, current_profile, require_visible_profile
from web.services import current_services

KEPT = timedelta(minutes=15)
#: Plans of a caller that may still be published.
MOST = 100
_NEXT = "call plan_posts again, and publish the new plan_id"


def choose_profile(named: str | None) -> str:
    """`named`, or that of the request. Raises `NotFound` and `InvalidRequest`."""
    if named is not None:
        return require_visible_profile(named)
    with current_services().database.reading() as session:
        return current_profile(session)


def keep_plan(profile_id: str, body: Mapping[str, Any]) -> AgentPlan:
    """Raises `Conflict` for too many."""
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
            body=dict(body),
            expires_at=now + KEPT,
        )
        session.add(plan)
    return plan


def idempotency_key(plan_id: str) -> str:
    return f"mcp:{plan_id}"


def load_plan(plan_id: str) -> AgentPlan:
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
            raise NotFound(f"There is no plan {plan_id[:80]!r} of this key: {_NEXT}")
        if plan.expires_at <= read_clock(session) and not session.scalar(select(was_published)):
            message = f"The plan expired, and nothing of it was published: {_NEXT}"
            raise Conflict(message, code="plan_expired")
    return plan
