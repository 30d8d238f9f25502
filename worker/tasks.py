"""The tasks: thin, named for Flower, with ids as their only arguments."""

from typing import Any

from shared.errors import ClaimLost
from shared.log import get_logger
from worker import cancel, litter, reconcile, release, stage, sweep, track, upload
from worker.app import app, current

log = get_logger("tasks")
#: Above the longest that a publishing turn may last: a turn, and a call that began at its end.
SHORT = {"soft_time_limit": 120, "time_limit": 150}
#: A gigabyte over a slow line; an upload without progress ends long before (seconds).
LONG = {"soft_time_limit": 4 * 3600, "time_limit": 4 * 3600 + 60}


@app.task(name="pressroom.upload", **LONG)  # type: ignore[untyped-decorator]
def upload_medium(account_media_id: int) -> None:
    upload.upload(current(), account_media_id)


@app.task(name="pressroom.stage", **SHORT)  # type: ignore[untyped-decorator]
def stage_account(account_id: int) -> None:
    _ours(stage.stage, account_id)


@app.task(name="pressroom.release", **SHORT)  # type: ignore[untyped-decorator]
def release_account(account_id: int) -> None:
    _ours(release.release, account_id)


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


@app.task(name="pressroom.tick", **SHORT)  # type: ignore[untyped-decorator]
def tick() -> None:
    sweep.tick(current())


@app.task(name="pressroom.sweep", **SHORT)  # type: ignore[untyped-decorator]
def sweep_all() -> None:
    sweep.sweep(current())


@app.task(name="pressroom.pulse", **SHORT)  # type: ignore[untyped-decorator]
def pulse(queue: str) -> None:
    with current().database.transaction() as session:
        sweep.pulse(session, f"worker:{queue}")


def _ours(step: Any, account_id: int) -> None:
    """Run a step; rows that another owner took in the meantime are its own to settle."""
    try:
        step(current(), account_id)
    except ClaimLost as error:
        log.warning("claim lost", account=account_id, reason=error.message)
