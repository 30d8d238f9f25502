"""Outages of Postiz: channels that cannot publish for a while, and workers that stand still."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests

from tests.chaos.arena import Arena
from tests.chaos.bounds import PROBE
from tests.chaos.cast import Member
from tests.chaos.client import Client
from tests.chaos.diary import Diary
from worker.accounts.rate_limiter import CREDIT

STALLED, RECOVERED = "Postiz stands still", "Postiz goes on"
#: From then on the server must be known to have stalled (seconds).
KNOWN_AFTER = 80.0
#: Releases that may be under way then.
UNDER_WAY = 3
#: A process that was frozen or killed may have been about to write.
SPARE_WRITES = 10


@dataclass(frozen=True)
class Outages:
    arena: Arena
    client: Client
    cast: Sequence[Member]
    diary: Diary

    def disconnect(self, rng: random.Random) -> None:
        """Its network signs Postiz out; somebody connects the channel again, and may say so."""
        member, channel = self._choose(rng)
        self._change(member.org, channel, refresh_needed=True)
        self.diary.note("channel disconnected", channel)
        time.sleep(rng.uniform(8, 25))
        picture = f"http://127.0.0.1/{rng.randrange(10**6)}.png"
        self._insist(member.org, channel, refresh_needed=False, picture=picture)
        self.diary.note("channel connected", channel)
        self._resume(member, channel)

    def stall(self, _rng: random.Random) -> None:
        """Postiz's workers do nothing for two minutes, or a sixth of the run; its API is well."""
        seconds = min(120.0, self.arena.options.seconds / 6)
        self.arena.sandbox.change_timing(workers_stopped=True)
        self.diary.note(STALLED)
        time.sleep(seconds)
        while True:
            with suppress(requests.RequestException):
                self.arena.sandbox.change_timing(workers_stopped=False)
                break
            time.sleep(0.5)
        self.diary.note(RECOVERED)

    def _choose(self, rng: random.Random) -> tuple[Member, str]:
        member = rng.choice(self.cast)
        return member, rng.choice(member.integrations)

    def _change(self, org: str, channel: str, **values: Any) -> None:
        self.arena.sandbox.patch_org(org, integrations={channel: values})

    def _insist(self, org: str, channel: str, **values: Any) -> None:
        while True:
            with suppress(requests.RequestException):
                self._change(org, channel, **values)
                return
            time.sleep(0.5)

    def _resume(self, member: Member, channel: str) -> None:
        """A run has no time for the list to be read again, and none for trials."""
        for _ in range(10):
            path = f"/postiz/integrations/{channel}/resume"
            answer = self.client.ask("POST", path, profile=member.profile)
            if answer is not None and answer.status_code in {200, 404}:
                return
            time.sleep(1)


def held_back(requests_made: Iterable[Mapping[str, Any]], diary: Diary) -> Iterator[str]:
    """Releases while the server was known to have stalled."""
    releases = _releases(requests_made)
    for stalled, recovered in zip(diary.of(STALLED), diary.of(RECOVERED), strict=False):
        known = stalled.at + KNOWN_AFTER
        count = sum(known < at < recovered.at for at in releases)
        if count > UNDER_WAY:
            yield f"{count} releases to a server that had stalled"


def bursts(requests_made: Iterable[Mapping[str, Any]], per_second: float) -> Iterator[str]:
    """Where more was released than the pace and what may be caught up allow."""
    releases = _releases(requests_made)
    for seconds in (1.0, 10.0):
        allowed = per_second * (seconds + CREDIT.total_seconds()) + SPARE_WRITES
        first = 0
        for last, at in enumerate(releases):
            while releases[first] < at - seconds:
                first += 1
            if last - first + 1 > allowed:
                yield f"{last - first + 1} releases within {seconds:.0f} s until {at:.3f}"
                break


def _releases(requests_made: Iterable[Mapping[str, Any]]) -> Sequence[float]:
    """When the status of a post was to change, in order."""
    changes = (row for row in requests_made if row["method"] == "PUT" and PROBE not in row["path"])
    return sorted(row["time"] for row in changes)
