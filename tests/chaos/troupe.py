"""The troupe: everybody who does something to the arena, and what each of their acts is called."""

import random
from collections.abc import Sequence
from functools import partial

from tests.chaos import script
from tests.chaos.arena import Arena
from tests.chaos.cast import Member
from tests.chaos.client import Client
from tests.chaos.diary import Diary
from tests.chaos.harm import VICTIMS, Act, Harm
from tests.chaos.minds import Minds
from tests.chaos.outages import Outages
from tests.chaos.people import People
from tests.chaos.poison import Poison, subscribe_in_vain
from tests.chaos.refusals import Refusals
from tests.chaos.revisions import Editors
from tests.chaos.stubborn import Stubborn
from tests.chaos.timetable import Timetable
from tests.chaos.vanish import Vanish


class Troupe:
    def __init__(self, arena: Arena, client: Client, cast: Sequence[Member], diary: Diary) -> None:
        self._client = client
        self._cast = cast
        self.people = People(arena, client, cast, diary)
        url = arena.facts()["database_url"]
        self.vanish = Vanish(url, lambda: arena.pids("worker-child"), diary)
        self.timetable = Timetable(client)
        self._harm = Harm(arena, diary)
        self._minds = Minds(arena, client, self.people, cast, diary)
        self._editors = Editors(self._minds, client, diary)
        self._outages = Outages(arena, client, cast, diary)
        self._poison = Poison(arena, self.people, cast, diary)
        self._refusals = Refusals(arena, self.people, cast, diary)
        self._stubborn = Stubborn(arena, client, cast, diary)
        self._mute = 0  # the webhook whose secret is spoiled

    def arrive(self, rng: random.Random, *, schedules: int, mute_url: str) -> None:
        """Profiles, schedules, and a webhook that is to be spoiled."""
        self.people.arrive()
        self._mute = subscribe_in_vain(self._client, mute_url)
        if schedules:
            self.timetable.open(rng, self._cast, schedules)

    def acts(self) -> dict[str, Act]:
        return {**self._kills(), **self._of_people(), **self._of_nature()}

    def _kills(self) -> dict[str, Act]:
        return {f"{script.KILL} {role}": partial(self._harm.kill, role) for role in VICTIMS}

    def _of_people(self) -> dict[str, Act]:
        people, minds, editors = self.people, self._minds, self._editors
        return {
            "rotate": people.rotate,
            "delete draft": people.delete_draft,
            "delete scheduled": people.delete_scheduled,
            "move scheduled": people.move_scheduled,
            "edit draft": people.edit_draft,
            "edit post": editors.edit_post,
            "move post": editors.move_post,
            "move job": editors.move_job,
            "cancel post": minds.cancel_post,
            "cancel job": minds.cancel_job,
            "retry post": minds.retry_post,
            "retry on word": minds.retry_on_word,
            "end overdue": minds.end_overdue,
            "pause job": minds.pause_job,
            "pause profile": minds.pause_profile,
            "pause account": minds.pause_account,
            "detour": minds.detour,
            "run schedule": self.timetable.run_by_hand,
            "revoke keys": self._refusals.revoke,
        }

    def _of_nature(self) -> dict[str, Act]:
        harm, poison, stubborn = self._harm, self._poison, self._stubborn
        return {
            "flush": harm.flush,
            "second beat": harm.second_beat,
            "freeze": harm.freeze,
            "flood": harm.flood,
            "vanish": self.vanish.vanish,
            "spoil secret": poison.spoil_secret,
            "spoil webhook": lambda _: poison.spoil_webhook(self._mute),
            "spoil schedule": lambda _: poison.spoil_schedule(self.timetable.poison),
            "undeletable": stubborn.undeletable,
            "undeletable when cancelled": stubborn.undeletable_when_cancelled,
            "disconnect channel": self._outages.disconnect,
            "stall": self._outages.stall,
            "unmovable": stubborn.unmovable,
            "killed in its release": stubborn.killed,
        }

    def close(self) -> None:
        """Nothing more is fired."""
        self.timetable.close()

    def end(self) -> None:
        self.vanish.end()
