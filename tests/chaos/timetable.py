"""Timetable: schedules that publish a bulk each minute, and one that is spoiled."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.chaos.cast import Member
from tests.chaos.client import Client
from tests.chaos.people import TIMETABLE

#: How the content of all that a schedule publishes begins; each run says the same again.
NAME = TIMETABLE


@dataclass
class Timetable:
    """`schedules`: their ids and who they publish for; `poison`: one that is to be spoiled."""

    client: Client
    schedules: dict[int, Member] = field(default_factory=dict)
    poison: int = 0
    closed_at: datetime | None = None

    def open(self, rng: random.Random, cast: Sequence[Member], count: int) -> None:
        """So many schedules, and one more among them that is to be spoiled."""
        for number in range(count + 1):
            member = rng.choice(cast)
            schedule_id = self._create(rng, member, number)
            self.schedules[schedule_id] = member
            if number == count // 2:
                self.poison = schedule_id

    def _create(self, rng: random.Random, member: Member, number: int) -> int:
        contents = [f"{NAME} {number:02d} clip {index}" for index in range(rng.randint(1, 4))]
        name = f"{NAME} {number:02d}"
        body = {
            "name": name,
            "cron": "* * * * *",
            "profile_id": member.profile,
            "bulk": {
                "items": [{"caption": content} for content in contents],
                "integration_ids": [rng.choice(member.integrations)],
                "schedule_interval_minutes": 0,
                "handoff": rng.choice(("staged", "auto")),
            },
        }
        made = self.client.insist("POST", "/schedules", once=name, json=body)
        return int(made["id"])

    def run_by_hand(self, rng: random.Random) -> None:
        """Besides its minutes."""
        self.client.ask("POST", f"/schedules/{rng.choice(list(self.schedules))}/run")

    def close(self) -> None:
        """Nothing more is fired."""
        for schedule_id in self.schedules:
            answer = self.client.ask("PATCH", f"/schedules/{schedule_id}", json={"enabled": False})
            if schedule_id != self.poison:
                assert answer is not None and answer.ok, answer
        self.closed_at = datetime.now(UTC)
