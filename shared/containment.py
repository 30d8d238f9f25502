"""Containment: an error in one item of many does not stop the others, and is not hidden."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared import db, metrics
from shared.log import get_logger

log = get_logger("containment")


@dataclass
class Fate:
    """`error`: the error that was contained, None if there was none."""

    error: Exception | None = None

    @property
    def failed(self) -> bool:
        return self.error is not None

    @property
    def may_pass(self) -> bool:
        """Whether PostgreSQL ended a statement that waited for a lock or took too long."""
        return isinstance(self.error, OperationalError)


@contextmanager
def contain_failures(
    where: str, *, but: tuple[type[Exception], ...] = (), **about: object
) -> Iterator[Fate]:
    """Contain errors of one step or row of many, so that the others go on.

    The error is logged with its traceback, and counted. The caller must make sure that the same row
    is not tried again at once, nor for ever. Errors after which nothing else can succeed are
    raised: those in `but`, an unreachable database, and the end of the task's time.
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


@contextmanager
def database_may_be_away() -> Iterator[None]:
    """Logs that PostgreSQL is unavailable; the work stays in the database and waits."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        log.warning("the database is away", reason=str(error).splitlines()[0])
