"""A run of the releaser: one child of a pool leads, and the others help if it is behind."""

import time
from collections.abc import Sequence

from shared.domain.publishing.fairness import DueProfile
from worker.accounts import server_turns
from worker.bulkhead import Bulkhead
from worker.releasing.releaser import Releaser
from worker.runtime import Runtime

#: How long a child releases posts in one run (seconds).
SLICE_SECONDS = 1.0
#: The longest wait for answers between two searches for what is due (seconds).
ROUND_SECONDS = 0.05
#: How long a run that is over waits for its last answers (seconds).
LAST_SECONDS = 0.2
#: A post that is overdue for longer shows that the leader is behind (seconds).
BEHIND_SECONDS = 0.3


def release_due_posts(runtime: Runtime, bulkhead: Bulkhead) -> None:
    """Release due posts, then wake the workers that reconcile them.

    The leader also waits for posts that are due next. The others only help if the leader is behind
    or hangs, and then continue with other work.
    """
    with bulkhead.leader_lock() as is_leader:
        if is_leader:
            _wake_helpers(runtime, bulkhead)
        account_ids = _run_slice(runtime, is_leader=is_leader)
    for account_id in account_ids:
        runtime.waker.reconcile(account_id)


def _wake_helpers(runtime: Runtime, bulkhead: Bulkhead) -> None:
    """One for each child that can help."""
    due, _ = server_turns.find_releasable(runtime)
    for _ in _profiles_behind(due)[1 : bulkhead.children]:
        runtime.waker.release()


def _run_slice(runtime: Runtime, *, is_leader: bool) -> set[int]:
    """Returns the accounts whose releases were answered; what hangs is left to its thread."""
    releaser = runtime.keep(Releaser)
    began = time.monotonic()
    ends = began + SLICE_SECONDS
    account_ids: set[int] = set()
    with releaser.running():
        while time.monotonic() < ends:
            due, pause = server_turns.find_releasable(runtime)
            releaser.start(due if is_leader else _profiles_behind(due))
            if calls := releaser.count_calls_since(began):
                releaser.wait((calls + 1) // 2, ROUND_SECONDS)
                account_ids |= releaser.record()
            elif pause is None or not is_leader:
                return account_ids | releaser.record()
            else:
                time.sleep(max(0.0, min(pause, ends - time.monotonic())))
        if is_leader:
            runtime.waker.release()
        releaser.wait(releaser.count_calls_since(began), LAST_SECONDS)
        return account_ids | releaser.record()


def _profiles_behind(due: Sequence[DueProfile]) -> list[DueProfile]:
    return [due_profile for due_profile in due if due_profile.waited >= BEHIND_SECONDS]
