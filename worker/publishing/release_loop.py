"""Watch: release what is due at its second, by a round through all servers with a free moment."""

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

#: One child releases for so long at a time (seconds).
TURN = 1.0
#: What is due since so long shows that whoever keeps the watch does not keep up (seconds).
BEHIND = 0.3
#: About as long as it takes to go through all servers (seconds): so much of a pace is one's turn.
PASS = 0.2


def release_due_posts(runtime: Runtime, bulkhead: Bulkhead) -> None:
    """Release what is due, and have what became of it read.

    One child of the pool keeps the watch for a turn: it waits for what is due next. The others only
    help where it falls behind, or hangs, and go on to other work.
    """
    with bulkhead.leader_lock() as is_leader:
        touched = (
            _run_as_leader(runtime, bulkhead) if is_leader else _run_as_helper(runtime, bulkhead)
        )
    for account_id in touched:
        runtime.waker.settle(account_id)


def _run_as_leader(runtime: Runtime, bulkhead: Bulkhead) -> set[int]:
    """The accounts of which posts were released in this turn."""
    ends = time.monotonic() + TURN
    touched: set[int] = set()
    due, pause = server_turns.find_releasable(runtime)
    for _ in _profiles_behind(due)[1 : bulkhead.children]:
        runtime.waker.release()  # one for each that can help
    while True:
        released = _run_release_round(runtime, bulkhead, due, ends)
        touched |= released
        if not released:
            if pause is None:
                return touched
            time.sleep(min(pause, TURN))
        if time.monotonic() >= ends:
            runtime.waker.release()
            return touched
        due, pause = server_turns.find_releasable(runtime)


def _run_as_helper(runtime: Runtime, bulkhead: Bulkhead) -> set[int]:
    """The same, as long as anything is due that should be out already."""
    ends = time.monotonic() + TURN
    touched: set[int] = set()
    while time.monotonic() < ends:
        due, _ = server_turns.find_releasable(runtime)
        released = _run_release_round(runtime, bulkhead, _profiles_behind(due), ends)
        if not released:
            return touched
        touched |= released
    return touched


def _profiles_behind(due: Sequence[DueProfile]) -> list[DueProfile]:
    return [due_profile for due_profile in due if due_profile.waited >= BEHIND]


def _run_release_round(
    runtime: Runtime, bulkhead: Bulkhead, due: Sequence[DueProfile], ends: float
) -> set[int]:
    """Give each its turn, as far as its server bears it, and return the accounts that had one."""
    writes_per_server = max(1, int(runtime.settings.writes_per_second * PASS))
    room: dict[str, int] = defaultdict(lambda: writes_per_server)
    touched: set[int] = set()
    for due_profile in due:
        if time.monotonic() >= ends or not room[due_profile.server]:
            continue
        match _serve_profile(runtime, bulkhead, due_profile):
            case ReleaseOutcome.TAKEN:
                touched.add(due_profile.account_id)
                room[due_profile.server] -= 1
            case ReleaseOutcome.SERVER_BUSY:
                room[due_profile.server] = 0
    return touched


def _serve_profile(runtime: Runtime, bulkhead: Bulkhead, due: DueProfile) -> ReleaseOutcome:
    """What it meets that nobody foresaw rests its account: the round serves everybody."""
    runtime.served[due.profile_id] = time.monotonic()
    try:
        with (
            contain_failures("release", but=(ClaimLost,), profile=due.profile_id),
            bulkhead.place(runtime.database, due.account_id, suspect=due.suspect) as admitted,
        ):
            return release_next_post(runtime, due) if admitted else ReleaseOutcome.PASSED
    except ClaimLost:
        return ReleaseOutcome.TAKEN  # whoever has it now goes on with it
    defects.rest_account(runtime, due.account_id)
    return ReleaseOutcome.PASSED
