"""Calls Postiz with a profile's current settings, never with older ones."""

from collections.abc import Callable
from typing import TypeVar

from shared.errors import PressroomError, SettingsChanged
from shared.postiz.client import Postiz
from shared.profiles import profile_settings
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import leases
from worker.accounts.defects import translate_defects
from worker.runtime import Runtime

T = TypeVar("T")
#: Attempts if the settings keep changing; then the work is left to a later claim.
TRIES = 20


def make_call(
    runtime: Runtime,
    credentials: CredentialRef,
    make: Callable[[Postiz], T],
) -> T:
    """Return `make(postiz)`, called with the claimed version of the settings or a newer one.

    If the settings change before anything is sent, the call is made again with the new ones. If
    these belong to another account, `SettingsChanged` is raised, and the rows are claimed again.
    """
    profile_id, version = credentials.profile_id, credentials.version
    for _ in range(TRIES):
        with translate_defects("publisher", sent=False):
            publisher = runtime.publishers.get(profile_id, version)
        if publisher.account_id != credentials.account_id:
            raise SettingsChanged(f"{profile_id!r} has another account now")
        try:
            with translate_defects("call", sent=True):
                return make(publisher.postiz)
        except SettingsChanged:
            with runtime.database.transaction() as session:
                version = profile_settings.version_of(session, profile_id) or version
    raise SettingsChanged(f"the settings of {profile_id!r} keep changing")


def record_failure(runtime: Runtime, credentials: CredentialRef, error: PressroomError) -> None:
    with runtime.database.transaction() as session:
        leases.record_failure(session, credentials, error)
