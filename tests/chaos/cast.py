"""Who takes part: organizations with their channels and limits, and the profiles that use them."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from local.sandbox.process import Admin

NETWORKS = ("mastodon", "telegram", "linkedin")
KEYS = 120
#: Of each profile, in another organization, for when it is pointed there.
DETOURS = 20
#: Hosted Postiz allows 100 counted calls an hour, self-hosted 90: one organization in four has it.
REAL_LIMIT, NO_LIMIT = 90, 100_000


@dataclass
class Member:
    """A profile; `keys` all lead to its organization, and `saved` says which was in force when."""

    profile: str
    org: str
    keys: list[str]
    detours: list[str]
    elsewhere: str
    saved: list[tuple[str, float]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_key(self) -> str:
        """One that was not in force yet, as long as there are any."""
        used = sum(key in self.keys for key, _ in self.saved)
        return self.keys[used % len(self.keys)]

    def next_detour(self) -> str:
        """The same for a key of another organization."""
        used = sum(key in self.detours for key, _ in self.saved)
        return self.detours[used % len(self.detours)]

    @property
    def integrations(self) -> list[str]:
        return [f"{self.org}-{network}" for network in NETWORKS]

    @property
    def others_keys(self) -> list[str]:
        """Of a teammate who works in Postiz itself, and of another installation."""
        return [self.teammate_key, f"{self.org}-neighbour"]

    @property
    def teammate_key(self) -> str:
        return f"{self.org}-teammate"


def is_limited(org: str) -> bool:
    return int(org.rpartition("-")[2]) % 4 == 3


def members(accounts: int) -> Iterator[Member]:
    """One profile for each organization, and a second one for the first."""
    for number in range(accounts + 1):
        profile = f"profile-{number:02d}"
        keys = [f"{profile}-key-{key:04d}" for key in range(KEYS)]
        detours = [f"{profile}-detour-{key:02d}" for key in range(DETOURS)]
        elsewhere = f"org-{(number + 1) % accounts:02d}"
        yield Member(profile, f"org-{number % accounts:02d}", keys, detours, elsewhere)


def open_orgs(sandbox: Admin, cast: list[Member]) -> None:
    for org in dict.fromkeys(member.org for member in cast):
        those = [member for member in cast if member.org == org]
        keys = [key for member in those for key in member.keys]
        channels = [{"id": f"{org}-{network}", "identifier": network} for network in NETWORKS]
        limit = REAL_LIMIT if is_limited(org) else NO_LIMIT
        keys += [key for member in cast if member.elsewhere == org for key in member.detours]
        everyone = [*keys, *those[0].others_keys]
        sandbox.create_org(org, keys=everyone, integrations=channels, limit=limit)
