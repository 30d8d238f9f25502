"""Clock: Celery's scheduler, which besides asks the database each second what is due.

What follows the time alone (`ENTRIES`) is sent as Celery sends it. A round (`ROUNDS`) is sent only
if it would find something, and names the steps that would, so an idle installation does next to
nothing. Nothing depends on the answer alone: if the database cannot be asked, each round is sent
with all of its steps, and each is sent so now and then in any case.
"""

import copy
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from celery.beat import ScheduleEntry, Scheduler

from shared.config import read_settings
from shared.containment import contain_failures, database_may_be_away
from shared.db import Database
from worker.beat_schedule import ROUNDS, STEPS
from worker.due_work import DueWork

#: Time between two questions (seconds).
LOOK_SECONDS = 1.0
#: So long after a round of all steps it is sent again in any case (seconds).
ANYWAY_SECONDS = 60.0
#: The longest wait for an answer (milliseconds).
STATEMENT_MS = 2_000
NEVER = float("-inf")


class Clock(Scheduler):  # type: ignore[misc]  # Celery brings no types
    """Celery also makes one only to name it, so nothing is opened before the first use."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._look_at = 0.0
        self._sent_at: dict[str, float] = {}  # by round, on the monotonic clock
        self._complete_at: dict[str, float] = {}  # when it was sent with all of its steps
        super().__init__(*arguments, **options)

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Send what is due; returns the seconds until the next call."""
        pause: float = super().tick(*arguments, **options)
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = max(self._look_at + LOOK_SECONDS, now)
            self._send_rounds(now)
        return max(0.0, min(pause, self._look_at - time.monotonic()))

    def close(self) -> None:
        super().close()
        if due_work := self.__dict__.pop("_due_work", None):
            due_work.close()

    def _send_rounds(self, now: float) -> None:
        due = self._find_due_steps()
        for entry in self._rounds:
            since = now - self._sent_at.get(entry.task, NEVER)
            is_time = since > entry.schedule.seconds - LOOK_SECONDS / 2
            is_overdue = now - self._complete_at.get(entry.task, NEVER) >= ANYWAY_SECONDS
            if is_overdue or (is_time and due is None):  # nobody knows
                self._send_round(entry, None, now)
            elif is_time and due and entry.task in due:
                self._send_round(entry, due[entry.task], now)

    def _send_round(self, entry: ScheduleEntry, steps: list[str] | None, now: float) -> None:
        """`steps`: those that are due; None means all."""
        self._sent_at[entry.task] = now
        if steps is None:
            self._complete_at[entry.task] = now
        else:
            entry = copy.copy(entry)
            entry.options = {**entry.options, "headers": {STEPS: steps}}
        self.apply_entry(entry, producer=self.producer)

    def _find_due_steps(self) -> Mapping[str, list[str]] | None:
        """By the task of their round; None if the database cannot be asked."""
        with database_may_be_away(), contain_failures("find_due_steps"):
            return self._due_work.find_due_steps()
        return None

    @cached_property
    def _rounds(self) -> list[ScheduleEntry]:
        return [self.Entry(name=name, app=self.app, **entry) for name, entry in ROUNDS.items()]

    @cached_property
    def _due_work(self) -> DueWork:
        settings = read_settings()
        database = Database.connect(settings, pool_size=1, statement_ms=STATEMENT_MS)
        return DueWork(database.engine, settings)
