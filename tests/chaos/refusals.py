"""Refusals: both keys of an organization that two profiles share are revoked, and come back."""

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import requests

from tests.chaos.arena import Arena
from tests.chaos.cast import Member
from tests.chaos.diary import Diary
from tests.chaos.people import People
from worker import step_threads
from worker.releasing.releaser import PLACES

REVOKED = "keys revoked"
#: Calls with one refused key while it is revoked: the releases to a server and the steps of its
#: accounts that may be under way at once, and the calls of uploads. Who calls on after a refusal
#: comes to ten times as many.
MOST_REFUSED = PLACES.quick + step_threads.PLACES.quick + 12


class Refusals:
    def __init__(self, arena: Arena, people: People, cast: Sequence[Member], diary: Diary) -> None:
        self._arena = arena
        self._people = people
        self._diary = diary
        first = cast[0]
        self._sharing = [member for member in cast if member.org == first.org]

    def revoke(self, rng: random.Random) -> None:
        """For some seconds; then one is saved as it was, and the other one replaced."""
        with ExitStack() as locks:
            for member in self._sharing:
                locks.enter_context(member.lock)
            keys = [member.saved[-1][0] for member in self._sharing]
            org = self._sharing[0].org
            self._arena.sandbox.patch_org(org, revoke_keys=keys)
            for key in keys:
                self._diary.note(REVOKED, key)
            time.sleep(rng.uniform(5, 10))
            with suppress(requests.RequestException):  # else both are replaced, as any refused key
                self._arena.sandbox.patch_org(org, add_keys=keys)
            for number, (member, key) in enumerate(zip(self._sharing, keys, strict=True)):
                restored = number == 0
                while not self._people.save_key(member, key if restored else member.next_key()):
                    time.sleep(1)


def too_many_refused(requests: Iterable[Mapping[str, Any]], diary: Diary) -> Iterator[str]:
    """Keys with which calls went on although Postiz had refused them."""
    revoked = diary.details(REVOKED)
    for key, calls in refused_calls(requests).items():
        most = MOST_REFUSED * revoked[key]
        if calls > most:
            yield f"{key}: {calls} refused calls, revoked {revoked[key]} times"


def refused_calls(requests: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How many calls with each key were answered with 401 by nothing but the key."""
    return Counter(
        row["key"] for row in requests if row.get("status") == 401 and not row.get("fault")
    )
