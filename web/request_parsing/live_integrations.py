"""Asks Postiz for its integrations during a request, and stores its answer.

For a dry run it asks in the same way, and stores nothing.
"""

from collections.abc import Collection, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any

from shared.accounts import channels, identity
from shared.accounts.identity import Found
from shared.db import ROW_LOCK
from shared.errors import NotFound, PublisherError, Unavailable, WrongBaseUrl
from shared.intake.targets import Target
from shared.models import Account, Profile
from shared.net.outbound_route import Route
from shared.postiz import discovery
from shared.postiz.client import Postiz, RemoteIntegration
from shared.postiz.discovery import Probe
from shared.postiz.extras import Question
from shared.profiles import profile_settings
from shared.profiles.profile_settings import Credentials
from shared.profiles.publisher_cache import Publisher, blamed_on_settings, require_version
from web.auth import current_caller
from web.services import Services, current_services

#: The longest time that a request waits to refresh the known integrations (seconds).
REFRESH_SECONDS = 1.0
#: And the longest of a call that no request waits for.
BACKGROUND_SECONDS = 10.0


class ListNeeded(Exception):
    """What is known of the profile's integrations is not enough to check a request."""

    def __init__(self, profile_id: str) -> None:
        super().__init__(profile_id)
        self.profile_id = profile_id


def require_known(profile_id: str, target: Target, wanted: Collection[str]) -> None:
    """Raises `ListNeeded` if a request that names those `wanted` cannot be checked.

    A list of the last minute is good enough; one that is somewhat older too, and is asked for again
    in the background. But not if by it one of those wanted cannot be used.
    """
    ours = current_services()
    if not (ours.known_lists.is_recent(target.account.id) and target.can_use(wanted)):
        raise ListNeeded(profile_id)
    if ours.known_lists.take_turn(target.account.id):
        ours.calls.begin(
            lambda: _ask_postiz(ours, profile_id, BACKGROUND_SECONDS),
            holder=current_caller().holder,
        )


def ask_now(profile_id: str) -> None:
    """Ask Postiz for the list, if this takes no longer than a request may wait."""
    try:
        update_integrations(profile_id, seconds=REFRESH_SECONDS)
    except (PublisherError, Unavailable):
        return  # the known list is used; if there is none, the worker checks later


def update_integrations(profile_id: str, *, seconds: float) -> list[RemoteIntegration]:
    """The live list, which is also stored.

    Raises `NotConfigured`; `PublisherError` if Postiz refuses or takes longer; `Unavailable` if too
    many ask at once.
    """
    ours = current_services()  # the call runs in a thread of its own, without a request
    return ours.calls.within(
        seconds, lambda: _ask_postiz(ours, profile_id, seconds), holder=current_caller().holder
    )


def look_up_integrations(profile_id: str, wanted: Collection[str]) -> Found | None:
    """What the profile's key leads to, with the live list if it comes in time; nothing is written.

    Without a live list, where the known one is of the last minute and those wanted can be used.

    None where the key cannot be opened. Raises what `ensure_locked_account` raises.
    """
    ours = current_services()
    with ours.database.reading() as session:
        profile = profile_settings.load_profile(session, profile_id)
        credentials = profile_settings.usable_credentials(profile, ours.settings, ours.box)
        profile_settings.require_kept(profile_id, profile.deleting_since)
        if credentials is None:
            return None
        account = profile_settings.recognize_account(session, profile, credentials.found())
        target = Target(account=account, channels=channels.read_channels(session, account))
    if ours.known_lists.is_fresh(account.id) and target.can_use(wanted):
        return credentials.found()
    look = partial(_look_up, ours, profile, credentials, account.base_url)
    try:
        with blamed_on_settings(profile_id, profile.settings_version):
            return credentials.found(
                ours.calls.within(REFRESH_SECONDS, look, holder=current_caller().holder)
            )
    except (PublisherError, Unavailable):
        return credentials.found()


def _look_up(
    ours: Services, profile: Profile, credentials: Credentials, base_url: str | None
) -> Probe:
    """By a connection of its own: building a publisher may write."""
    check = partial(require_version, ours.database, profile.id, profile.settings_version)
    if base_url is not None:
        postiz = Postiz(
            base_url=base_url,
            api_key=credentials.api_key,
            check=check,
            call_seconds=ours.settings.call_timeout_seconds,
            route=Route.from_settings(ours.settings),
        )
        with closing(postiz), suppress(WrongBaseUrl):  # Postiz may have moved
            rows = postiz.integrations(seconds=REFRESH_SECONDS)
            return Probe(code="ok", detail="", server=credentials.server, integrations=rows)
    return discovery.probe_postiz(
        credentials.api_url, credentials.api_key, ours.settings, check=check
    )


def ask_publisher(profile_id: str, seconds: float, question: Question) -> Any:
    """What the profile's Postiz answers to `question`; nothing of it is stored.

    Raises as `update_integrations`; a refusal of Postiz has its `status`.
    """
    ours = current_services()

    def ask() -> Any:
        return question(_current_publisher(ours, profile_id).postiz, seconds)

    return ours.calls.within(seconds, ask, holder=current_caller().holder)


def _ask_postiz(ours: Services, profile_id: str, seconds: float) -> list[RemoteIntegration]:
    publisher = _current_publisher(ours, profile_id)
    try:
        rows = publisher.postiz.integrations(seconds=seconds)
    except WrongBaseUrl:  # Postiz may have moved between its two base paths
        publisher = _rediscover_publisher(ours, publisher)
        rows = publisher.postiz.integrations(seconds=seconds)
    _record_integrations(ours, publisher.account_id, rows)
    ours.known_lists.note_listed(publisher.account_id)
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
