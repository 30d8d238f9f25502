"""Fetches the files of media that were given as an address, before they are uploaded.

One child of each pool fetches with threads. A profile has one fetch at a time, so that its slow
sources delay only its own files; no upload waits for a fetch of another file.
"""

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, not_, select
from sqlalchemy.orm import Session, aliased

from shared.containment import contain_failures
from shared.errors import ClaimLost, PublisherError, RequestError, Unavailable
from shared.media import repository
from shared.models import AccountMedia, Media, Profile
from shared.net.outbound_route import Route
from shared.storage import file_lock
from shared.task_queue import FETCH
from worker import heartbeats
from worker.accounts.defects import translate_defects
from worker.media import upload, upload_turns
from worker.runtime import Runtime

#: Fetches at once in a pool.
THREADS = 16
#: How often a run that waits for its fetches looks for others (seconds).
POLL_SECONDS = 0.5


def has_waiting(session: Session) -> bool:
    return session.execute(first_fetches_query().limit(1)).first() is not None


def fetch_waiting(runtime: Runtime) -> None:
    """Fetch until nothing waits and nothing is under way."""
    under_way: dict[Future[None], str] = {}
    served: dict[str, float] = {}
    threads = ThreadPoolExecutor(THREADS)
    try:
        while True:
            heartbeats.record_queue_heartbeat(runtime, FETCH)
            waiting = _find_waiting(runtime, set(under_way.values()))
            waiting.sort(key=lambda row: (served.get(row.profile_id, 0.0), row.next_at))
            for row in waiting[: THREADS - len(under_way)]:
                served[row.profile_id] = time.monotonic()
                under_way[threads.submit(_fetch_contained, runtime, row)] = row.profile_id
            if not under_way:
                return
            for future in wait(under_way, POLL_SECONDS, FIRST_COMPLETED).done:
                del under_way[future]
                future.result()
    finally:
        threads.shutdown(wait=False)  # a process that is told to end does not wait for a source


def _find_waiting(runtime: Runtime, busy: set[str]) -> list[Row[Any]]:
    """The first waiting fetch of each profile that is not `busy`."""
    with runtime.database.transaction() as session:
        rows = session.execute(first_fetches_query()).all()
    return [row for row in rows if row.profile_id not in busy]


@cache
def first_fetches_query() -> Select[Any]:
    """The first waiting fetch of each profile that has none under way."""
    waiting = upload_turns.select_first_media(upload.needs_fetch())
    return waiting.where(not_(_is_fetching(Profile.id)))


def _is_fetching(profile_id: Any) -> ColumnElement[bool]:
    """Whether a fetch of the profile is under way, in this pool or another."""
    other, medium = aliased(AccountMedia), aliased(Media)
    return (
        select(other.id)
        .join(medium, medium.id == other.media_id)
        .where(other.profile_id == profile_id, other.state == "uploading")
        .where(other.lease_until >= func.now())
        .where(medium.storage_key.is_(None), medium.source_url.is_not(None))
        .exists()
    )


def _fetch_contained(runtime: Runtime, row: Row[Any]) -> None:
    """After an unexpected error it is fetched again when its lease has ended."""
    with contain_failures("fetch", upload=row.id):
        fetch_medium(runtime, row.id, row.profile_id)


def fetch_medium(runtime: Runtime, account_media_id: int, profile_id: str) -> None:
    """Fetch the file of a waiting upload, which waits for its turn then."""
    with runtime.database.transaction() as session:
        file_lock.lock_key(session, f"{profile_id}/fetch")  # two pools may ask at the same time
        free = upload.needs_fetch(), not_(_is_fetching(profile_id))
        claimed = upload.claim_upload(session, account_media_id, *free)
    if claimed is None:
        return
    try:
        with translate_defects("fetch", sent=False):
            _store_file(runtime, claimed)
    except ClaimLost:
        return
    except (PublisherError, RequestError, Unavailable) as error:
        upload.record_failed_upload(runtime, claimed, error)
        return
    runtime.waker.upload(account_media_id)


def _store_file(runtime: Runtime, claimed: upload.Upload) -> None:
    repository.fetch_file(
        runtime.database,
        runtime.storage,
        claimed.media_id,
        route=Route.from_settings(runtime.settings),
        settings=runtime.settings,
        on_progress=upload.Heartbeat(runtime, claimed, FETCH),
    )
    again = {"state": "pending", "lease_until": None, "next_at": func.now()}
    with runtime.database.transaction() as session:
        upload.update_claimed_upload(session, claimed, attempts=claimed.attempts - 1, **again)
