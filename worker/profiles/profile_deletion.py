"""Removal: go on with profiles that are being deleted and have too much for one request."""

import time

from shared.containment import contain_failures
from shared.profiles import deletion
from worker.runtime import Runtime

#: Of a profile, and of all of them: the next wake-up goes on (seconds).
SLICE = 2.0
TURN = 20.0


def remove_profiles(runtime: Runtime) -> None:
    """In turn, so that one that waits for Postiz, or for a lock, keeps no other from its end."""
    ends = time.monotonic() + TURN
    with runtime.database.transaction() as session:
        waiting = deletion.list_marked_profiles(session)
    for profile_id in waiting:
        if time.monotonic() > ends:
            return
        with contain_failures("remove_profile", profile=profile_id):
            until = time.monotonic() + SLICE
            deletion.continue_removal(runtime.database, runtime.storage, profile_id, until=until)
