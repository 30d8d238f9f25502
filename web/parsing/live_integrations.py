"""Asking Postiz for its integrations on behalf of a request, and remembering what it said."""

from collections.abc import Sequence

from shared.accounts import identity
from shared.db import ROW_LOCK
from shared.errors import NotFound, PublisherError, WrongBaseUrl
from shared.models import Account
from shared.postiz.client import RemoteIntegration
from shared.profiles import profile_settings
from shared.profiles.publisher_cache import Publisher
from web.services import Services, services

#: The known integrations are refreshed when that takes no longer (seconds).
REFRESH_SECONDS = 1.0


def refresh(profile_id: str) -> None:
    """The known integrations, if it takes no longer than a request may wait for it."""
    try:
        integrations(profile_id, seconds=REFRESH_SECONDS)
    except PublisherError:
        return  # the known list decides; and where there is none, the worker


def integrations(profile_id: str, *, seconds: float) -> list[RemoteIntegration]:
    """The live list, remembered for later.

    Raises `NotConfigured`, and `PublisherError` when Postiz refuses or takes longer.
    """
    ours = services()  # the call runs in a thread of its own, which has no request
    return ours.calls.within(seconds, lambda: _ask(ours, profile_id, seconds))


def _ask(ours: Services, profile_id: str, seconds: float) -> list[RemoteIntegration]:
    publisher = _publisher(ours, profile_id)
    try:
        rows = publisher.postiz.integrations(seconds=seconds)
    except WrongBaseUrl:  # Postiz may have moved between its two base paths
        publisher = _found_anew(ours, publisher)
        rows = publisher.postiz.integrations(seconds=seconds)
    _remember(ours, publisher.account_id, rows)
    return rows


def _publisher(ours: Services, profile_id: str) -> Publisher:
    with ours.database.transaction() as session:
        version = profile_settings.version_of(session, profile_id)
    if version is None:
        raise NotFound(f"There is no profile {profile_id!r}")
    return ours.publishers.get(profile_id, version)


def _found_anew(ours: Services, publisher: Publisher) -> Publisher:
    with ours.database.transaction() as session:
        session.get_one(Account, publisher.account_id, with_for_update=ROW_LOCK).base_url = None
    ours.publishers.reset(publisher.profile_id)
    return _publisher(ours, publisher.profile_id)


def _remember(ours: Services, account_id: int, rows: Sequence[RemoteIntegration]) -> None:
    """Write only what is new: many requests see the same list."""
    with ours.database.transaction() as session:
        account = session.get_one(Account, account_id)
        known = [_facts(row) for row in identity.integrations(session, account_id)]
        same = sorted(known) == sorted(_facts(row) for row in rows)
        if account.integrations_seen_at is None or not same:
            identity.remember_integrations(session, account, rows)


def _facts(row: object) -> tuple[str, ...]:
    names = ("id", "name", "identifier", "picture", "disabled", "profile")
    return tuple(str(getattr(row, name)) for name in names)
