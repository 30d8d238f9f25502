"""The per-process cache of publishers: one per profile, never with old settings."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.orm import Session

from shared import metrics
from shared.config import Settings
from shared.containment import contain_failures
from shared.crypto import SecretBox
from shared.db import Database
from shared.errors import (
    CredentialsRejected,
    Defect,
    InvalidRequest,
    NotConfigured,
    NotFound,
    PressroomError,
    ProfileGone,
    PublisherError,
    SecretUnreadable,
    SettingsChanged,
    SettingsUnusable,
    Transient,
    WrongBaseUrl,
)
from shared.models import Profile
from shared.net import outbound_route
from shared.net.outbound_route import Route
from shared.postiz import discovery
from shared.postiz.client import Postiz
from shared.profiles import profile_settings
from shared.profiles.credential_ref import require_current

MAX_PUBLISHERS = 500
#: Maximum age of a publisher (seconds), in case an invalidation went wrong.
MAX_AGE = 300.0


@dataclass(frozen=True)
class Publisher:
    """Calls Postiz for one profile, with one version of its settings.

    `check` raises `SettingsChanged` if the database has other settings. Each call checks this
    before its first byte, and the cache before it returns the publisher.
    """

    profile_id: str
    version: int
    account_id: int
    postiz: Postiz
    check: Callable[[], None] = lambda: None
    built_at: float = field(default_factory=time.monotonic)

    @property
    def is_current(self) -> bool:
        try:
            self.check()
        except SettingsChanged:
            return False
        return True


class Publishers:
    """Builds on demand with `build(profile_id)`, one build at a time per profile; thread-safe.

    The number of entries is limited. `get` never returns a publisher older than the version that a
    claim has read, nor one with a base URL that the account no longer has. So a lost invalidation
    only costs the memory of an idle entry.
    """

    def __init__(
        self,
        build: Callable[[str], Publisher],
        *,
        max_publishers: int = MAX_PUBLISHERS,
        max_age: float = MAX_AGE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._build = build
        self._max = max_publishers
        self._max_age = max_age
        self._clock = clock
        self._entries: OrderedDict[str, Publisher] = OrderedDict()
        self._building: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self.builds = 0

    def get(self, profile_id: str, version: int, *, ask: bool = True) -> Publisher:
        """A publisher with settings of `version` or newer. Raises what `build` raises.

        `ask` False: the database is not asked whether it is current, because the call will ask.
        """
        found = self._find_fresh(profile_id, version)
        if found is not None and (not ask or found.is_current):
            metrics.CACHE.labels("hit").inc()
            return found
        with self._build_lock(profile_id):
            found = self._find_fresh(profile_id, version)
            if found is not None and found.is_current:
                return found
            built = self._build(profile_id)
            if built.version < version:  # the profile was created again, or a replica lags
                raise SettingsChanged(f"the settings of {profile_id!r} are older than the claim")
            self._store_publisher(built)
            return built

    def reset(self, profile_id: str | None = None) -> None:
        """Forget the publisher of one profile, or all."""
        metrics.INVALIDATIONS.labels("one" if profile_id else "all").inc()
        with self._lock:
            if profile_id is None:
                gone = list(self._entries.values())
                self._entries.clear()
            else:
                entry = self._entries.pop(profile_id, None)
                gone = [entry] if entry else []
        for publisher in gone:
            publisher.postiz.close()

    def __contains__(self, profile_id: str) -> bool:
        with self._lock:
            return profile_id in self._entries

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def _find_fresh(self, profile_id: str, version: int) -> Publisher | None:
        with self._lock:
            entry = self._entries.get(profile_id)
            if entry is None or entry.version < version:
                return None
            if self._clock() - entry.built_at > self._max_age:
                return None
            self._entries.move_to_end(profile_id)
            return entry

    def _build_lock(self, profile_id: str) -> threading.Lock:
        with self._lock:
            if len(self._building) > 4 * self._max:
                self._building = {k: v for k, v in self._building.items() if v.locked()}
            return self._building.setdefault(profile_id, threading.Lock())

    def _store_publisher(self, built: Publisher) -> None:
        """An older one never replaces a newer one."""
        metrics.CACHE.labels("build").inc()
        with self._lock:
            self.builds += 1
            present = self._entries.get(built.profile_id)
            if present is not None and present.version > built.version:
                return
            self._entries[built.profile_id] = built
            self._entries.move_to_end(built.profile_id)
            while len(self._entries) > self._max:
                self._entries.popitem(last=False)


@dataclass(frozen=True)
class PublisherFactory:
    """Builds publishers from the database: version and settings are read in one statement."""

    database: Database
    settings: Settings
    box: SecretBox

    def __call__(self, profile_id: str) -> Publisher:
        """Raises `ProfileGone`, `SettingsUnusable`, or the `PublisherError` of a failed probe."""
        credentials, version, account_id, base_url = self._prepare_settings(profile_id)
        if base_url is None:
            with blamed_on_settings(profile_id, version):
                self._connect_account(profile_id, version, credentials)
            credentials, version, account_id, base_url = self._prepare_settings(profile_id)
        if base_url is None:
            raise SettingsChanged(f"{profile_id!r} was changed while its Postiz was looked for")
        route = Route.from_settings(self.settings)
        with blamed_on_settings(profile_id, version):
            _require_allowed(base_url, route)
        check = partial(self.check, profile_id, version, base_url)
        postiz = Postiz(
            base_url=base_url,
            api_key=credentials.api_key,
            check=check,
            call_seconds=self.settings.call_timeout_seconds,
            route=route,
        )
        return Publisher(profile_id, version, account_id, postiz, check)

    def _prepare_settings(
        self, profile_id: str
    ) -> tuple[profile_settings.Credentials, int, int, str | None]:
        """The data that a publisher is built from; creates the profile's account if needed.

        The credentials are read after that, because it may have waited for a PATCH: those and the
        version belong together.
        """
        with self.database.transaction() as session:
            profile = _require_profile(session, profile_id)
            with blamed_on_settings(profile_id, profile.settings_version):
                profile_settings.require_credentials(profile, self.settings, self.box)
            try:
                account = profile_settings.ensure_account(session, profile, self.settings, self.box)
                credentials = profile_settings.require_credentials(profile, self.settings, self.box)
            except (NotConfigured, NotFound, SecretUnreadable) as error:
                raise SettingsChanged(f"{profile_id!r} was changed meanwhile") from error
            return credentials, profile.settings_version, account.id, account.base_url

    def check(self, profile_id: str, version: int, base_url: str) -> None:
        """Raise `SettingsChanged` unless the profile has this version, and its account this URL.

        Raises `ProfileGone` if there is no profile.
        """
        with self.database.statements() as connection:  # no commit between answer and call
            current = profile_settings.version_and_base_url(connection, profile_id)
        require_current(profile_id, (version, base_url), current)

    def _connect_account(
        self, profile_id: str, version: int, credentials: profile_settings.Credentials
    ) -> None:
        """Probe Postiz outside of a transaction; save the result if the credentials still apply."""
        check = partial(require_version, self.database, profile_id, version)
        found = discovery.probe_postiz(
            credentials.api_url, credentials.api_key, self.settings, check=check
        )
        if found.integrations is None:
            raise _probe_error(found)
        with self.database.transaction() as session:
            profile = _require_profile(session, profile_id, lock=True)
            if profile_settings.credentials_of(profile, self.settings, self.box) != credentials:
                return
            profile_settings.connect_account(session, profile, credentials, found)


def require_version(database: Database, profile_id: str, version: int) -> None:
    """Raise `SettingsChanged` unless the profile has this version of its settings.

    The check of calls that are made before the base URL of the profile's account is known.
    """
    with database.statements() as connection:  # no commit between answer and call
        if profile_settings.version_of(connection, profile_id) != version:
            raise SettingsChanged(f"the settings of {profile_id!r} have changed")


def _require_allowed(base_url: str, route: Route) -> None:
    """Raise `InvalidRequest` where Postiz may not be called any more, so that this is told once.

    What may pass is left to the calls, which check again.
    """
    try:
        outbound_route.require_allowed(outbound_route.require_address(base_url), route)
    except InvalidRequest as error:
        if error.code not in {outbound_route.UNRESOLVED, outbound_route.PROXY_NEEDS_HTTPS}:
            raise


def _require_profile(session: Session, profile_id: str, *, lock: bool = False) -> Profile:
    try:
        return profile_settings.load_profile(session, profile_id, lock=lock)
    except NotFound as error:  # it existed when its work was claimed
        raise ProfileGone(error.message) from error


@contextmanager
def blamed_on_settings(profile_id: str, version: int) -> Iterator[None]:
    """Turns errors of a profile's settings, and unexpected errors, into `SettingsUnusable`, so that
    other profiles are not affected."""
    why: PressroomError | None = None
    with contain_failures("publisher", but=(PressroomError,), profile=profile_id) as fate:
        try:
            yield
        except (NotConfigured, SecretUnreadable, InvalidRequest) as error:
            why = error
    if fate.error is not None:
        why = Defect(f"its settings cannot be used: {type(fate.error).__name__}")
    if why is not None:
        raise SettingsUnusable(why, profile_id=profile_id, version=version)


def _probe_error(found: discovery.Probe) -> PublisherError:
    """The error to raise for a probe that returned no integrations."""
    match found.code:
        case "not_the_postiz_api":
            return WrongBaseUrl(found.detail)
        case "unreachable" | "ok" | outbound_route.UNRESOLVED:
            return Transient(found.detail)
        case code:
            return CredentialsRejected(found.detail, code=code)
