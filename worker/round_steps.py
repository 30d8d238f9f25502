"""Steps of a round that serves everybody: what one of them meets costs no other.

Each has a transaction of its own, waits for nobody's lock for long, and is tried again in the next
round.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.containment import contain_failures
from shared.db import Database
from worker.runtime import Runtime

T = TypeVar("T")
Step = Callable[[Runtime, Session], T]
#: Rounds pass over rows that are locked; what is locked all the same is left to a later round.
_WAIT_BRIEFLY = text("SET LOCAL lock_timeout = '500ms'")


def run_steps(runtime: Runtime, steps: Mapping[str, Step[T]]) -> dict[str, T]:
    """What each of the steps returned, but for those that failed."""
    found = {name: run_step(runtime, name, step) for name, step in steps.items()}
    return {name: result for name, result in found.items() if result is not None}


def run_step(runtime: Runtime, name: str, step: Step[T]) -> T | None:
    """What the step returned; None where it failed."""
    with contain_failures(name), brief_transaction(runtime.database) as session:
        return step(runtime, session)
    return None


@contextmanager
def brief_transaction(database: Database) -> Iterator[Session]:
    """One that serves everybody, and so waits for no single row for long."""
    with database.transaction() as session:
        session.execute(_WAIT_BRIEFLY)
        yield session
