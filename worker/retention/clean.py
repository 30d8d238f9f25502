"""Clean: once an hour, deletes rows and stored files that are not needed any more."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.containment import contain_failures
from shared.errors import Unavailable
from shared.log import get_logger
from shared.media import unused_media
from shared.models import Media, Pulse
from shared.storage import file_lock
from worker.media import expired_uploads
from worker.retention import prune
from worker.runtime import Runtime

INTERVAL = timedelta(hours=1)
#: Maximum duration of a run (seconds); the next run continues.
MAX_SECONDS = 300.0
#: A younger file without a row may belong to a request that has not committed yet.
ORPHAN_AGE = timedelta(hours=6)
_KEY_BATCH = 500
_ROWS_CHECKED = 200
#: Errors that end the run: the storage is unavailable.
_UNAVAILABLE = (Unavailable,)

log = get_logger("clean")


def run_cleanup_if_due(runtime: Runtime) -> None:
    """Run if the last run began at least an hour ago; may be called at any time."""
    with runtime.database.transaction() as session:
        if not _claim_run(session):
            return
    until = time.monotonic() + MAX_SECONDS
    for what, step in prune.STEPS.items():
        with contain_failures(f"prune {what}"):
            _log_count(f"pruned {what}", _repeat_step(runtime, step, until))
    try:
        _clean_storage(runtime, until)
    except Unavailable as error:
        log.warning("the storage is away", reason=error.message)


def _clean_storage(runtime: Runtime, until: float) -> None:
    with contain_failures("unused files", but=_UNAVAILABLE):
        remove_unused_files(runtime, until)
    with contain_failures("abandoned files", but=_UNAVAILABLE):
        runtime.storage.remove_abandoned()
    with contain_failures("left uploads", but=_UNAVAILABLE):
        _log_count("removed bytes of ended uploads", expired_uploads.remove_left_bytes(runtime))
    with contain_failures("files without a row", but=_UNAVAILABLE):
        _log_count("removed files without a row", remove_orphan_files(runtime, until))
    with contain_failures("rows without a file", but=_UNAVAILABLE):
        _log_count("rows without a file", report_missing_files(runtime))


def _claim_run(session: Session) -> bool:
    due = Pulse.seen_at < func.now() - INTERVAL
    now = {"seen_at": func.now()}
    query = insert(Pulse).values(name="clean", **now)
    claim_query = query.on_conflict_do_update(index_elements=["name"], set_=now, where=due)
    return session.scalar(claim_query.returning(Pulse.name)) is not None


def _repeat_step(runtime: Runtime, step: Callable[..., int], until: float) -> int:
    total = 0
    while time.monotonic() < until:
        with runtime.database.transaction() as session:
            number = step(session, runtime.settings)
        total += number
        if not number:
            break
    return total


def remove_unused_files(runtime: Runtime, until: float) -> None:
    """Remove the files of unused media."""
    days = runtime.settings.media_retention_days
    if days:
        _repeat_step(runtime, lambda session, _: unused_media.mark_removed(session, days), until)
    failed: set[str] = set()
    while time.monotonic() < until:
        with runtime.database.transaction() as session:
            keys = unused_media.removed_keys(session, failed)
        for key in keys:
            if not _try_removal(
                key, partial(unused_media.remove_file, runtime.database, runtime.storage)
            ):
                failed.add(key)
        _log_count("removed unused files", len(keys))
        if not keys:
            break
    with runtime.database.transaction() as session:
        unused_media.put_last(session, failed)


def _try_removal(key: str, work: Callable[[str], object]) -> bool:
    """Whether it was done; an error with one file does not stop the others."""
    with contain_failures("clean_file", but=_UNAVAILABLE, key=key):
        return work(key) is not False
    return False


def remove_orphan_files(runtime: Runtime, until: float) -> int:
    """Delete files that no row refers to; returns how many."""
    number = 0
    before = datetime.now(UTC) - ORPHAN_AGE
    old = (
        stored_file.key
        for stored_file in runtime.storage.stored()
        if stored_file.modified_at < before
    )
    for keys in _key_batches(old):
        with runtime.database.transaction() as session:
            known = set(
                session.scalars(select(Media.storage_key).where(Media.storage_key.in_(keys)))
            )
        remove = partial(file_lock.remove_unreferenced, runtime.database, runtime.storage)
        number += sum(_try_removal(key, remove) for key in set(keys) - known)
        if time.monotonic() > until:
            break
    return number


def _key_batches(keys: Iterable[str]) -> Iterator[list[str]]:
    keys = iter(keys)
    while batch := list(islice(keys, _KEY_BATCH)):
        yield batch


def report_missing_files(runtime: Runtime) -> int:
    """Log media whose file is missing; checks a random part each time. Returns how many."""
    with runtime.database.transaction() as session:
        last = session.scalar(select(func.max(Media.id))) or 0
        kept = select(Media.id, Media.storage_key).where(
            Media.storage_key.is_not(None), Media.removed_at.is_(None)
        )
        start = random.randint(0, max(0, last - _ROWS_CHECKED))  # noqa: S311 (no secret)
        rows = session.execute(
            kept.where(Media.id > start).order_by(Media.id).limit(_ROWS_CHECKED)
        ).all()
    gone: list[int] = []
    for media_id, key in rows:
        with contain_failures("look_for_file", but=_UNAVAILABLE, medium=media_id):
            if key and not runtime.storage.exists(key):
                gone.append(media_id)
                log.error("the file of a medium is not in the storage", medium=media_id)
    return len(gone)


def _log_count(what: str, number: int) -> None:
    if number:
        log.info(what, number=number)
