"""Calls Postiz with a profile's current settings, never with older ones."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement

from shared.errors import PressroomError, SettingsChanged
from shared.postiz.client import Postiz, RemoteIntegration
from shared.profiles import profile_settings
from shared.profiles.credential_ref import CredentialRef, require_current
from shared.profiles.publisher_cache import Publisher
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
    return _make_call(runtime, credentials, lambda publisher: make(publisher.postiz), ask=True)


def make_checked_call(
    runtime: Runtime,
    credentials: CredentialRef,
    make: Callable[[Publisher], T],
) -> T:
    """As `make_call`, for a call whose own last check raises `SettingsChanged`.

    So the settings are compared once, just before the first byte, and not before that.
    """
    return _make_call(runtime, credentials, make, ask=False)


def ask_with_settings(runtime: Runtime, publisher: Publisher, asked: ColumnElement[Any]) -> Any:
    """The value of `asked`, for the last check before the first byte of `make_checked_call`.

    One statement reads it and the settings: of two, the first answer would grow old while the
    second is asked for. Raises `SettingsChanged`, or `ProfileGone`.
    """
    query = profile_settings.version_and_base_url_query(publisher.profile_id, asked.label("asked"))
    with runtime.database.statements() as connection:  # no commit between answer and call
        row = connection.execute(query).one_or_none()
    current, answer = ((row[0], row[1]), row[2]) if row else (None, None)
    require_current(publisher.profile_id, (publisher.version, publisher.postiz.base_url), current)
    return answer


def _make_call(
    runtime: Runtime, credentials: CredentialRef, make: Callable[[Publisher], T], *, ask: bool
) -> T:
    profile_id, version = credentials.profile_id, credentials.version
    for attempt in range(TRIES):
        with translate_defects("publisher", sent=False):
            publisher = runtime.publishers.get(profile_id, version, ask=ask or attempt > 0)
        if publisher.account_id != credentials.account_id:
            raise SettingsChanged(f"{profile_id!r} has another account now")
        try:
            with translate_defects("call", sent=True):
                return make(publisher)
        except SettingsChanged:
            with runtime.database.transaction() as session:
                version = profile_settings.version_of(session, profile_id) or version
    raise SettingsChanged(f"the settings of {profile_id!r} keep changing")


def read_integrations(
    runtime: Runtime, credentials: CredentialRef
) -> list[RemoteIntegration] | None:
    """The account's list; None if it was not to be had, which is then recorded."""
    try:
        return make_call(runtime, credentials, lambda postiz: postiz.integrations())
    except PressroomError as error:
        record_failure(runtime, credentials, error)
        return None


def record_failure(runtime: Runtime, credentials: CredentialRef, error: PressroomError) -> None:
    with runtime.database.transaction() as session:
        leases.record_failure(session, credentials, error)
