"""Asks Postiz for its integrations during a request, and stores its answer."""

from collections.abc import Sequence

from shared.accounts import identity
from shared.db import ROW_LOCK
from shared.errors import NotFound, PublisherError, WrongBaseUrl
from shared.models import Account
from shared.postiz.client import RemoteIntegration
from shared.profiles import profile_settings
from shared.profiles.publisher_cache import Publisher
from web.services import Services, current_services

#: The longest time that a request waits to refresh the known integrations (seconds).
REFRESH_SECONDS = 1.0


def refresh_integrations(profile_id: str) -> None:
    """Refresh the known integrations, if this takes no longer than a request may wait."""
    try:
        fetch_integrations(profile_id, seconds=REFRESH_SECONDS)
    except PublisherError:
        return  # the known list is used; if there is none, the worker checks later


def fetch_integrations(profile_id: str, *, seconds: float) -> list[RemoteIntegration]:
    """The live list, which is also stored.

    Raises `NotConfigured`, and `PublisherError` if Postiz refuses or takes longer.
    """
    ours = current_services()  # the call runs in a thread of its own, without a request
    return ours.calls.within(seconds, lambda: _ask_postiz(ours, profile_id, seconds))


def _ask_postiz(ours: Services, profile_id: str, seconds: float) -> list[RemoteIntegration]:
    publisher = _current_publisher(ours, profile_id)
    try:
        rows = publisher.postiz.integrations(seconds=seconds)
    except WrongBaseUrl:  # Postiz may have moved between its two base paths
        publisher = _rediscover_publisher(ours, publisher)
        rows = publisher.postiz.integrations(seconds=seconds)
    _record_integrations(ours, publisher.account_id, rows)
    return rows


def _current_publisher(ours: Services, profile_id: str) -> Publisher:
    with ours.database.transaction() as session:
        version = profile_settings.version_of(session, profile_id)
    if version is None:
        raise NotFound(f"There is no profile {profile_id!r}")
    return ours.publishers.get(profile_id, version)


def _rediscover_publisher(ours: Services, publisher: Publisher) -> Publisher:
    with ours.database.transaction() as session:
        session.get_one(Account, publisher.account_id, with_for_update=ROW_LOCK).base_url = None
    ours.publishers.reset(publisher.profile_id)
    return _current_publisher(ours, publisher.profile_id)


def _record_integrations(
    ours: Services, account_id: int, rows: Sequence[RemoteIntegration]
) -> None:
    """Write only changes: many requests see the same list."""
    with ours.database.transaction() as session:
        account = session.get_one(Account, account_id)
        known = [_comparable_fields(row) for row in identity.read_integrations(session, account_id)]
        same = sorted(known) == sorted(_comparable_fields(row) for row in rows)
        if account.integrations_seen_at is None or not same:
            identity.remember_integrations(session, account, rows)


def _comparable_fields(row: object) -> tuple[str, ...]:
    names = ("id", "name", "identifier", "picture", "disabled", "profile")
    return tuple(str(getattr(row, name)) for name in names)
