"""Account moves: continues to move posts and uploads of profiles to their new account."""

import time

from shared.containment import contain_failures
from shared.profiles import account_move
from worker.round_steps import brief_transaction, run_step
from worker.runtime import Runtime

#: Maximum time in one sweep (seconds); the next sweep continues.
SLICE_SECONDS = 0.5


def continue_moves(runtime: Runtime) -> None:
    """Move batches of all such profiles in rotation, one transaction each, for one time slice."""
    ends = time.monotonic() + SLICE_SECONDS
    left = run_step(
        runtime, "find_moves", lambda _, session: account_move.find_profiles_to_move(session)
    )
    while left and time.monotonic() < ends:
        left = [
            (profile, account)
            for profile, account in left
            if _move_profile_batch(runtime, profile, account)
        ]


def _move_profile_batch(runtime: Runtime, profile_id: str, account_id: int) -> bool:
    """Whether anything was moved; after an error the next sweep tries again."""
    moving_it = contain_failures("move_profile", profile=profile_id)
    with moving_it, brief_transaction(runtime.database) as session:
        return account_move.move_batch(session, profile_id, account_id) > 0
    return False
