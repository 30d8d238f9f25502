"""Steps of a round that serves all accounts: an error in one step does not affect the others.

Each step has its own transaction, waits only briefly for locks, and is tried again in the next
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
#: Rounds skip locked rows; if a row is locked anyway, the step fails soon and a later round does
#: it.
_WAIT_BRIEFLY = text("SET LOCAL lock_timeout = '500ms'")


def run_steps(runtime: Runtime, steps: Mapping[str, Step[T]]) -> dict[str, T]:
    """The results of the steps, without those that failed."""
    found = {name: run_step(runtime, name, step) for name, step in steps.items()}
    return {name: result for name, result in found.items() if result is not None}


def run_step(runtime: Runtime, name: str, step: Step[T]) -> T | None:
    """The step's result; None if it failed."""
    with contain_failures(name), brief_transaction(runtime.database) as session:
        return step(runtime, session)
    return None


@contextmanager
def brief_transaction(database: Database) -> Iterator[Session]:
    """A transaction that waits only briefly for locked rows."""
    with database.transaction() as session:
        session.execute(_WAIT_BRIEFLY)
        yield session
