"""The per-process cache of publishers: one per profile, never older than the profile's settings."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from shared import connect, profiles
from shared.config import Settings
from shared.crypto import SecretBox
from shared.db import ROW_LOCK, Database
from shared.errors import (
    CredentialsRejected,
    NotConfigured,
    PublisherError,
    SettingsChanged,
    Transient,
    WrongBaseUrl,
)
from shared.models import Account, Profile
from shared.postiz import Postiz

MAX_PUBLISHERS = 500
#: A backstop: whatever went wrong with an invalidation is over after this long (seconds).
MAX_AGE = 300.0


@dataclass(frozen=True)
class Publisher:
    """Talks to Postiz for one profile, with the settings of one version."""

    profile_id: str
    version: int
    account_id: int
    postiz: Postiz
    built_at: float = field(default_factory=time.monotonic)


class Publishers:
    """Built lazily with `build(profile_id)`, one build at a time per profile; bounded; thread-safe.

    `get` with the version that a claim has read never returns an older publisher, so a lost
    invalidation costs nothing but the memory of an idle entry.
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

    def get(self, profile_id: str, version: int) -> Publisher:
        """A publisher with settings of `version` or newer. Raises what `build` raises."""
        found = self._fresh(profile_id, version)
        if found is not None:
            return found
        with self._build_lock(profile_id):
            found = self._fresh(profile_id, version)
            if found is not None:
                return found
            built = self._build(profile_id)
            if built.version < version:  # the profile was deleted and made anew, or a replica lags
                raise SettingsChanged(f"the settings of {profile_id!r} are older than the claim")
            self._keep(built)
            return built

    def reset(self, profile_id: str | None = None) -> None:
        """Forget the publisher of one profile, or all."""
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

    def _fresh(self, profile_id: str, version: int) -> Publisher | None:
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

    def _keep(self, built: Publisher) -> None:
        """An older one never replaces a newer one."""
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
        """Raises `NotFound`, `NotConfigured`, or what looking for the base path came to."""
        with self.database.transaction() as session:
            profile = profiles.get(session, profile_id)
            credentials = profiles.require_credentials(profile, self.settings, self.box)
            account = profiles.ensure_account(session, profile, self.settings, self.box)
            if account.base_url is None:
                account = self._find_base_url(session, profile, credentials)
            version, base_url, account_id = profile.settings_version, account.base_url, account.id
        assert base_url is not None  # looked for above
        postiz = Postiz(
            base_url=base_url,
            api_key=credentials.api_key,
            check=lambda: self.check(profile_id, version),
            call_seconds=self.settings.call_timeout_seconds,
        )
        return Publisher(profile_id, version, account_id, postiz)

    def check(self, profile_id: str, version: int) -> None:
        """Raise `SettingsChanged` unless the profile's settings are still of `version`."""
        with self.database.transaction() as session:
            current = profiles.version_of(session, profile_id)
        if current is None:
            raise NotConfigured(f"There is no profile {profile_id!r}")
        if current != version:
            raise SettingsChanged(f"the settings of {profile_id!r} have changed")

    def _find_base_url(
        self, session: Session, profile: Profile, credentials: profiles.Credentials
    ) -> Account:
        found = connect.probe(credentials.api_url, credentials.api_key, self.settings)
        if found.integrations is None:
            raise _failure(found)
        session.refresh(profile, with_for_update=ROW_LOCK)
        account = profiles.connect_account(session, profile, credentials, found)
        assert account is not None  # there are credentials
        return account


def _failure(found: connect.Probe) -> PublisherError:
    """Why a probe came to nothing, as an error of its class."""
    match found.code:
        case "unreachable":
            return Transient(found.detail)
        case "not_the_postiz_api":
            return WrongBaseUrl(found.detail)
        case code:
            return CredentialsRejected(found.detail, code=code)
