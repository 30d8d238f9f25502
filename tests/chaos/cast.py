"""Who takes part: organizations with their channels and limits, and the profiles that use them."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from local.sandbox.process import Admin

NETWORKS = ("mastodon", "telegram", "linkedin")
KEYS = 120
#: Hosted Postiz allows 100 counted calls an hour, self-hosted 90: one organization in four has it.
REAL_LIMIT, NO_LIMIT = 90, 100_000


@dataclass
class Member:
    """A profile; `keys` all lead to its organization, and `saved` says which was in force when."""

    profile: str
    org: str
    keys: list[str]
    saved: list[tuple[str, float]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def integrations(self) -> list[str]:
        return [f"{self.org}-{network}" for network in NETWORKS]

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
        yield Member(profile, f"org-{number % accounts:02d}", keys)


def open_orgs(sandbox: Admin, cast: list[Member]) -> None:
    for org in dict.fromkeys(member.org for member in cast):
        those = [member for member in cast if member.org == org]
        keys = [key for member in those for key in member.keys]
        channels = [{"id": f"{org}-{network}", "identifier": network} for network in NETWORKS]
        limit = REAL_LIMIT if is_limited(org) else NO_LIMIT
        everyone = [*keys, those[0].teammate_key]
        sandbox.create_org(org, keys=everyone, integrations=channels, limit=limit)
