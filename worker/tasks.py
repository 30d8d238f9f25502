"""The tasks: thin, named for Flower, with ids as their only arguments."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.contextvars import bind_contextvars

from shared.errors import ClaimLost
from shared.log import get_logger
from worker import (
    cancel,
    clean,
    deliver,
    fire,
    litter,
    meeting,
    reconcile,
    stage,
    sweep,
    track,
    upload,
    watch,
)
from worker.app import app, bulkhead, current
from worker.runtime import Runtime

log = get_logger("tasks")
#: Above the longest that a publishing turn may last: a turn, and a call that began at its end.
SHORT = {"soft_time_limit": 120, "time_limit": 150}
#: A gigabyte over a slow line; an upload without progress ends long before (seconds).
LONG = {"soft_time_limit": 4 * 3600, "time_limit": 4 * 3600 + 60}


@app.task(name="pressroom.upload", **LONG)  # type: ignore[untyped-decorator]
def upload_medium(account_media_id: int) -> None:
    bind_contextvars(upload=account_media_id)
    with database_may_be_away():
        upload.upload(current(), account_media_id)


@app.task(name="pressroom.stage", **SHORT)  # type: ignore[untyped-decorator]
def stage_account(account_id: int) -> None:
    _ours(stage.stage, account_id, long=True)


@app.task(name="pressroom.release", **SHORT)  # type: ignore[untyped-decorator]
def release_due() -> None:
    with database_may_be_away():
        watch.release(current(), bulkhead())


@app.task(name="pressroom.reconcile", **SHORT)  # type: ignore[untyped-decorator]
def reconcile_account(account_id: int) -> None:
    _ours(reconcile.settle, account_id)


@app.task(name="pressroom.track", **SHORT)  # type: ignore[untyped-decorator]
def track_account(account_id: int) -> None:
    _ours(track.track, account_id)


@app.task(name="pressroom.cancel", **SHORT)  # type: ignore[untyped-decorator]
def cancel_account(account_id: int) -> None:
    _ours(cancel.cancel, account_id)


@app.task(name="pressroom.litter", **SHORT)  # type: ignore[untyped-decorator]
def clean_account(account_id: int) -> None:
    _ours(litter.clean, account_id)


@app.task(name="pressroom.meet", **SHORT)  # type: ignore[untyped-decorator]
def meet_account(account_id: int) -> None:
    _ours(meeting.meet, account_id)


@app.task(name="pressroom.deliver", **SHORT)  # type: ignore[untyped-decorator]
def deliver_all() -> None:
    with database_may_be_away(), bulkhead().watch("courier") as admitted:
        if admitted:
            deliver.deliver(current())


@app.task(name="pressroom.tick", **SHORT)  # type: ignore[untyped-decorator]
def tick() -> None:
    with database_may_be_away():
        sweep.tick(current())


@app.task(name="pressroom.sweep", **SHORT)  # type: ignore[untyped-decorator]
def sweep_all() -> None:
    with database_may_be_away():
        sweep.sweep(current())


@app.task(name="pressroom.schedules", **SHORT)  # type: ignore[untyped-decorator]
def fire_schedules() -> None:
    with database_may_be_away():
        fire.fire_due(current())


@app.task(name="pressroom.clean", **LONG)  # type: ignore[untyped-decorator]
def clean_up() -> None:
    with database_may_be_away():
        clean.clean(current())


@app.task(name="pressroom.pulse", **SHORT)  # type: ignore[untyped-decorator]
def pulse(queue: str) -> None:
    with database_may_be_away(), current().database.transaction() as session:
        sweep.pulse(session, f"worker:{queue}")


def _ours(step: Callable[[Runtime, int], None], account_id: int, *, long: bool = False) -> None:
    """Run a step, if the account may have another child; rows that others took are theirs."""
    runtime = current()
    bind_contextvars(account=account_id)
    place = bulkhead().place(runtime.database, account_id, long=long)
    with database_may_be_away(), place as admitted:
        if not admitted:
            return
        try:
            step(runtime, account_id)
        except ClaimLost as error:
            log.warning("claim lost", account=account_id, reason=error.message)


@contextmanager
def database_may_be_away() -> Iterator[None]:
    """Without PostgreSQL nothing can be claimed: the work waits where it is, in its rows."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        log.warning("the database is away", reason=str(error).splitlines()[0])
