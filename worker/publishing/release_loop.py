"""Release loop: releases posts at their second, in rounds over all servers that allow a write."""

import time
from collections import defaultdict
from collections.abc import Sequence

from shared.containment import contain_failures
from shared.domain.publishing.fairness import DueProfile
from shared.errors import ClaimLost
from worker.accounts import defects, server_turns
from worker.bulkhead import Bulkhead
from worker.publishing.release import ReleaseOutcome, release_next_post
from worker.runtime import Runtime

#: How long a child releases posts in one run (seconds).
SLICE_SECONDS = 1.0
#: A post that is overdue for longer shows that the leader is behind (seconds).
BEHIND_SECONDS = 0.3
#: Expected duration of a round over all servers (seconds): sets the writes per server in a round.
ROUND_SECONDS = 0.2


def release_due_posts(runtime: Runtime, bulkhead: Bulkhead) -> None:
    """Release due posts, then wake the workers that reconcile them.

    One child of the pool is the leader: it also waits for posts that are due next. The others only
    help if the leader is behind or hangs, and then continue with other work.
    """
    with bulkhead.leader_lock() as is_leader:
        account_ids = (
            _run_as_leader(runtime, bulkhead) if is_leader else _run_as_helper(runtime, bulkhead)
        )
    for account_id in account_ids:
        runtime.waker.reconcile(account_id)


def _run_as_leader(runtime: Runtime, bulkhead: Bulkhead) -> set[int]:
    """Returns the accounts whose posts were released."""
    ends = time.monotonic() + SLICE_SECONDS
    account_ids: set[int] = set()
    due, pause = server_turns.find_releasable(runtime)
    for _ in _profiles_behind(due)[1 : bulkhead.children]:
        runtime.waker.release()  # one for each child that can help
    while True:
        released = _run_release_round(runtime, bulkhead, due, ends)
        account_ids |= released
        if not released:
            if pause is None:
                return account_ids
            time.sleep(min(pause, SLICE_SECONDS))
        if time.monotonic() >= ends:
            runtime.waker.release()
            return account_ids
        due, pause = server_turns.find_releasable(runtime)


def _run_as_helper(runtime: Runtime, bulkhead: Bulkhead) -> set[int]:
    """Release posts only as long as some are overdue; returns their accounts."""
    ends = time.monotonic() + SLICE_SECONDS
    account_ids: set[int] = set()
    while time.monotonic() < ends:
        due, _ = server_turns.find_releasable(runtime)
        released = _run_release_round(runtime, bulkhead, _profiles_behind(due), ends)
        if not released:
            return account_ids
        account_ids |= released
    return account_ids


def _profiles_behind(due: Sequence[DueProfile]) -> list[DueProfile]:
    return [due_profile for due_profile in due if due_profile.waited >= BEHIND_SECONDS]


def _run_release_round(
    runtime: Runtime, bulkhead: Bulkhead, due: Sequence[DueProfile], ends: float
) -> set[int]:
    """Serve each profile at its server's pace; returns the accounts that released a post."""
    writes_per_server = max(1, int(runtime.settings.writes_per_second * ROUND_SECONDS))
    writes_left: dict[str, int] = defaultdict(lambda: writes_per_server)
    account_ids: set[int] = set()
    for due_profile in due:
        if time.monotonic() >= ends or not writes_left[due_profile.server]:
            continue
        match _serve_profile(runtime, bulkhead, due_profile):
            case ReleaseOutcome.ATTEMPTED:
                account_ids.add(due_profile.account_id)
                writes_left[due_profile.server] -= 1
            case ReleaseOutcome.SERVER_BUSY:
                writes_left[due_profile.server] = 0
    return account_ids


def _serve_profile(runtime: Runtime, bulkhead: Bulkhead, due: DueProfile) -> ReleaseOutcome:
    """Release a post of the profile; an unexpected error makes only its account wait."""
    runtime.last_releases[due.profile_id] = time.monotonic()
    try:
        with (
            contain_failures("release", but=(ClaimLost,), profile=due.profile_id),
            bulkhead.place(runtime.database, due.account_id, suspect=due.suspect) as admitted,
        ):
            return release_next_post(runtime, due) if admitted else ReleaseOutcome.NOTHING_DONE
    except ClaimLost:
        return ReleaseOutcome.ATTEMPTED  # another worker continues with it
    defects.rest_account(runtime, due.account_id)
    return ReleaseOutcome.NOTHING_DONE
