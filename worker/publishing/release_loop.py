"""Watch: release what is due at its second, by a round through all servers with a free moment."""

import time
from collections import defaultdict
from collections.abc import Sequence

from shared.containment import contained
from shared.domain.publishing.fairness import Due
from shared.errors import ClaimLost
from worker.accounts import defects, server_turns
from worker.bulkhead import Bulkhead
from worker.publishing.release import Turn, take
from worker.runtime import Runtime

#: One child releases for so long at a time (seconds).
TURN = 1.0
#: What is due since so long shows that whoever keeps the watch does not keep up (seconds).
BEHIND = 0.3
#: About as long as it takes to go through all servers (seconds): so much of a pace is one's turn.
PASS = 0.2


def release(runtime: Runtime, bulkhead: Bulkhead) -> None:
    """Release what is due, and have what became of it read.

    One child of the pool keeps the watch for a turn: it waits for what is due next. The others only
    help where it falls behind, or hangs, and go on to other work.
    """
    with bulkhead.watch() as alone:
        touched = _watch(runtime, bulkhead) if alone else _help(runtime, bulkhead)
    for account_id in touched:
        runtime.waker.settle(account_id)


def _watch(runtime: Runtime, bulkhead: Bulkhead) -> set[int]:
    """The accounts of which posts were released in this turn."""
    ends = time.monotonic() + TURN
    touched: set[int] = set()
    due, pause = server_turns.whose(runtime)
    for _ in _late(due)[1 : bulkhead.children]:
        runtime.waker.release()  # one for each that can help
    while True:
        released = _go_through(runtime, bulkhead, due, ends)
        touched |= released
        if not released:
            if pause is None:
                return touched
            time.sleep(min(pause, TURN))
        if time.monotonic() >= ends:
            runtime.waker.release()
            return touched
        due, pause = server_turns.whose(runtime)


def _help(runtime: Runtime, bulkhead: Bulkhead) -> set[int]:
    """The same, as long as anything is due that should be out already."""
    ends = time.monotonic() + TURN
    touched: set[int] = set()
    while time.monotonic() < ends:
        due, _ = server_turns.whose(runtime)
        released = _go_through(runtime, bulkhead, _late(due), ends)
        if not released:
            return touched
        touched |= released
    return touched


def _late(due: Sequence[Due]) -> list[Due]:
    return [one for one in due if one.waited >= BEHIND]


def _go_through(runtime: Runtime, bulkhead: Bulkhead, due: Sequence[Due], ends: float) -> set[int]:
    """Give each its turn, as far as its server bears it, and return the accounts that had one."""
    each = max(1, int(runtime.settings.writes_per_second * PASS))
    room: dict[str, int] = defaultdict(lambda: each)
    touched: set[int] = set()
    for one in due:
        if time.monotonic() >= ends or not room[one.server]:
            continue
        match _take_turn(runtime, bulkhead, one):
            case Turn.TAKEN:
                touched.add(one.account_id)
                room[one.server] -= 1
            case Turn.SERVER_BUSY:
                room[one.server] = 0
    return touched


def _take_turn(runtime: Runtime, bulkhead: Bulkhead, due: Due) -> Turn:
    """What it meets that nobody foresaw rests its account: the round serves everybody."""
    runtime.served[due.profile_id] = time.monotonic()
    try:
        with (
            contained("release", but=(ClaimLost,), profile=due.profile_id),
            bulkhead.place(runtime.database, due.account_id, suspect=due.suspect) as admitted,
        ):
            return take(runtime, due) if admitted else Turn.PASSED
    except ClaimLost:
        return Turn.TAKEN  # whoever has it now goes on with it
    defects.rest_account(runtime, due.account_id)
    return Turn.PASSED
