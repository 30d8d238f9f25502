"""Profile deletion: continues deletions that are too large for one request."""

import time

from shared.containment import contain_failures
from shared.profiles import deletion
from worker.runtime import Runtime

#: Maximum time for one profile, and for all (seconds); the next wake-up continues.
SLICE = 2.0
TURN = 20.0


def remove_profiles(runtime: Runtime) -> None:
    """Serve each profile briefly, so that one that waits does not delay the others."""
    ends = time.monotonic() + TURN
    with runtime.database.transaction() as session:
        waiting = deletion.list_marked_profiles(session)
    for profile_id in waiting:
        if time.monotonic() > ends:
            return
        with contain_failures("remove_profile", profile=profile_id):
            until = time.monotonic() + SLICE
            deletion.continue_removal(runtime.database, runtime.storage, profile_id, until=until)
