"""Containment: what goes wrong with one of many costs no other, and is not hidden."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import OperationalError

from shared import db, metrics
from shared.log import get_logger

log = get_logger("containment")


@dataclass
class Fate:
    """`error`: what was contained, None if nothing was."""

    error: Exception | None = None

    @property
    def failed(self) -> bool:
        return self.error is not None

    @property
    def may_pass(self) -> bool:
        """Whether it was a statement that PostgreSQL gave up: for a lock, or for time."""
        return isinstance(self.error, OperationalError)


@contextmanager
def contain_failures(
    where: str, *, but: tuple[type[Exception], ...] = (), **about: object
) -> Iterator[Fate]:
    """Keep what goes wrong inside, with one step or row of many, from costing the others.

    It is logged with its traceback, and counted; whoever uses it sees to it that the same row is
    not tried again at once, and not for ever. Raises where nothing else can succeed either: what
    is one of `but`, without a database, and at the end of the task's time.
    """
    fate = Fate()
    try:
        yield fate
    except (SoftTimeLimitExceeded, *but):
        raise
    except Exception as error:
        if db.is_away(error):
            raise
        fate.error = error
        metrics.CONTAINED.labels(where).inc()
        if fate.may_pass:
            log.warning("given up for now", where=where, reason=str(error).splitlines()[0], **about)
        else:
            log.exception("failed, and contained", where=where, **about)
