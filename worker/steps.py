"""Steps of a round that serves everybody: what one of them meets costs no other.

Each has a transaction of its own, waits for nobody's lock for long, and is tried again in the next
round.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared import db, metrics
from shared.log import get_logger
from worker.runtime import Runtime

T = TypeVar("T")
Step = Callable[[Runtime, Session], T]
#: Rounds pass over rows that are locked; what is locked all the same is left to a later round.
_WAIT_BRIEFLY = text("SET LOCAL lock_timeout = '500ms'")

log = get_logger("steps")


def run_steps(runtime: Runtime, steps: Mapping[str, Step[T]]) -> dict[str, T]:
    """What each of the steps returned, but for those that failed."""
    found = {name: run_step(runtime, name, step) for name, step in steps.items()}
    return {name: result for name, result in found.items() if result is not None}


def run_step(runtime: Runtime, name: str, step: Step[T]) -> T | None:
    """What the step returned; None where it failed."""
    with contained(name), runtime.database.transaction() as session:
        session.execute(_WAIT_BRIEFLY)
        return step(runtime, session)
    return None


@contextmanager
def contained(where: str, **about: object) -> Iterator[None]:
    """Keep what goes wrong inside, with one step or one row of many, from costing the others.

    It is logged and counted. Raises where nothing else can succeed either: without a database, and
    at the end of the task's time.
    """
    try:
        yield
    except SoftTimeLimitExceeded:
        raise
    except OperationalError as error:
        if db.is_away(error):
            raise
        _note(where)
        log.warning("given up for now", where=where, reason=str(error.orig).strip(), **about)
    except Exception as error:
        if db.is_away(error):
            raise
        _note(where)
        log.exception("failed, and contained", where=where, **about)


def _note(where: str) -> None:
    metrics.CONTAINED.labels(where).inc()
