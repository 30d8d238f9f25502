"""Profile deletion: continues deletions that are too large for one request."""

import time

from shared.containment import contain_failures
from shared.profiles import deletion
from worker.runtime import Runtime

#: Maximum time for one profile, and for all (seconds); the next wake-up continues.
PROFILE_SECONDS = 2.0
SLICE_SECONDS = 20.0


def remove_profiles(runtime: Runtime) -> None:
    """Serve each profile briefly, so that one that waits does not delay the others."""
    ends = time.monotonic() + SLICE_SECONDS
    with runtime.database.transaction() as session:
        waiting = deletion.list_marked_profiles(session)
    for profile_id in waiting:
        if time.monotonic() > ends:
            return
        with contain_failures("remove_profile", profile=profile_id):
            until = time.monotonic() + PROFILE_SECONDS
            deletion.continue_removal(runtime.database, runtime.storage, profile_id, until=until)
