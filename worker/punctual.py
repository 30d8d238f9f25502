"""Punctual: what is too late by its own policy is skipped or held, before anyone hands it over."""

from shared import late_policy
from shared.domain.states import PostState
from shared.late_policy import LatePolicy
from worker.runtime import Runtime

AT_ONCE = 1000


def enforce(runtime: Runtime) -> None:
    """One batch of each state; the sweep comes again. Nothing else may choose them meanwhile."""
    for state in (PostState.PENDING, PostState.STAGED):
        with runtime.database.transaction() as session:
            rows = late_policy.overdue(session, state, limit=AT_ONCE)
            skipped = [post_id for post_id, policy in rows if policy == LatePolicy.SKIP]
            held = [post_id for post_id, policy in rows if policy == LatePolicy.HOLD]
            if skipped:
                late_policy.skip(session, skipped, state)
            if held:
                late_policy.hold(session, held, state)
