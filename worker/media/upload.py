"""Upload: bring a medium to an account's Postiz, once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import BinaryIO

from sqlalchemy import ColumnElement, CursorResult, and_, func, not_, or_, select, update
from sqlalchemy.orm import Session

from shared import failpoints
from shared.accounts import holds, waits
from shared.domain.publishing.states import PostState
from shared.errors import (
    ClaimLost,
    Paused,
    PressroomError,
    PublisherError,
    RequestError,
    Transient,
    Unavailable,
)
from shared.media import repository
from shared.models import Account, AccountMedia, Job, JobMedia, Media, Post, Profile
from shared.net.outbound_route import Route
from shared.postiz.client import Postiz
from shared.postiz.payloads import RemoteMedia
from shared.posts import transitions
from shared.task_queue import UPLOAD
from worker import heartbeats
from worker.accounts import leases, postiz_call
from worker.accounts.defects import translated
from worker.accounts.error_policy import MAX_ATTEMPTS, backoff
from worker.media import upload_error_policy
from worker.runtime import Runtime
from worker.staging import deferred_validation

LEASE = 60.0
HEARTBEAT = 10.0


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A medium that is ours to upload."""

    id: int
    claim: int
    media_id: int
    account_id: int
    profile_id: str
    version: int
    key_hash: str | None
    attempts: int


def upload(runtime: Runtime, account_media_id: int) -> bool:
    """Fetch the medium if it is only an address yet, and send it to its account's Postiz.

    Returns whether it was ours to upload, however that ended.
    """
    with runtime.database.transaction() as session:
        one = _claim(session, account_media_id)
    if one is None:
        return False
    beat = Heartbeat(runtime, one)
    try:
        with translated("upload", sent=True):
            _bring(runtime, one, beat)
    except ClaimLost:
        return True
    except (PublisherError, RequestError, Unavailable) as error:
        _failed(runtime, one, error)
    return True


def _claim(session: Session, account_media_id: int) -> Upload | None:
    claim = leases.new_claim()
    row = session.scalar(
        update(AccountMedia)
        .where(
            AccountMedia.id == account_media_id,
            AccountMedia.state == "pending",
            AccountMedia.next_at <= func.now(),
            may_go(),
        )
        .values(
            state="uploading",
            claim=claim,
            lease_until=func.now() + timedelta(seconds=LEASE),
            attempts=AccountMedia.attempts + 1,
        )
        .returning(AccountMedia)
        .execution_options(synchronize_session=False)
    )
    return _upload_of(session, row, claim) if row else None


def may_go() -> ColumnElement[bool]:
    """Nothing is paused that wants this upload, and its profile's key may be used."""
    profile = select(Profile.id).join(Account, Account.id == Profile.account_id)
    usable = profile.where(
        Account.id == AccountMedia.account_id,
        Profile.id == AccountMedia.profile_id,
        leases.rested(),
        Account.paused.is_(False),
        Profile.paused.is_(False),
        ~holds.is_held(),
    )
    job = select(Job.id).join(JobMedia, JobMedia.job_id == Job.id)
    wanted = job.where(JobMedia.account_media_id == AccountMedia.id)
    by_paused, by_others = wanted.where(Job.paused), wanted.where(Job.paused.is_(False))
    own = [part.correlate(AccountMedia).exists() for part in (usable, by_paused, by_others)]
    return and_(own[0], or_(not_(own[1]), own[2]))


def _ask_again(runtime: Runtime, one: Upload) -> None:
    """The last question before the first byte of the file."""
    with runtime.database.transaction() as session:
        may = session.scalar(select(may_go()).where(AccountMedia.id == one.id))
    if not may:
        raise Paused("held back before it was uploaded")


def _upload_of(session: Session, row: AccountMedia, claim: int) -> Upload:
    profile = session.get_one(Profile, row.profile_id)
    return Upload(
        id=row.id,
        claim=claim,
        media_id=row.media_id,
        account_id=row.account_id,
        profile_id=profile.id,
        version=profile.settings_version,
        key_hash=profile.key_hash,
        attempts=row.attempts,
    )


class Heartbeat:
    """Keeps the lease while bytes flow; raises `ClaimLost` once it is somebody else's.

    A pool that is busy with long uploads alone is seen by it, too.
    """

    def __init__(self, runtime: Runtime, one: Upload) -> None:
        self._runtime = runtime
        self._one = one
        self._last = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._last < HEARTBEAT:
            return
        with self._runtime.database.transaction() as session:
            _write(session, self._one, lease_until=func.now() + timedelta(seconds=LEASE))
        heartbeats.serves(self._runtime, UPLOAD)
        self._last = time.monotonic()


class Beating:
    """A file that calls `beat` at each read, as the encoder of the upload reads it."""

    def __init__(self, file: BinaryIO, size: int, beat: Callable[[], None]) -> None:
        self._file = file
        self._beat = beat
        self.len = size

    def read(self, size: int = -1) -> bytes:
        self._beat()
        piece = self._file.read(size)
        self.len -= len(piece)  # the encoder takes `len` for what is left
        return piece


def _write(session: Session, one: Upload, **values: object) -> None:
    """Change the row while it is ours. Raises `ClaimLost`."""
    query = update(AccountMedia).where(
        AccountMedia.id == one.id,
        AccountMedia.claim == one.claim,
        AccountMedia.state == "uploading",
    )
    done = session.execute(query.values(**values))
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise ClaimLost(f"upload {one.id} is no longer ours")


def _bring(runtime: Runtime, one: Upload, beat: Heartbeat) -> None:
    repository.fetch(
        runtime.database,
        runtime.storage,
        one.media_id,
        route=Route.from_settings(runtime.settings),
        on_progress=beat,
    )
    key, mime = _stored(runtime, one)
    name = f"{one.media_id}.{mime.rsplit('/', 1)[1]}"
    size = runtime.storage.size(key)

    def send(postiz: Postiz) -> RemoteMedia:
        with runtime.storage.open(key) as file:
            check = partial(_ask_again, runtime, one)
            return postiz.upload(name, mime, Beating(file, size, beat), check=check)

    failpoints.hit("upload.before_call")
    remote = postiz_call.call(runtime, one.profile_id, one.version, one.account_id, send)
    failpoints.hit("upload.after_call")
    with runtime.database.transaction() as session:
        leases.went_well(session, one.account_id)
        _write(
            session,
            one,
            state="uploaded",
            postiz_id=remote.id,
            postiz_path=remote.path,
            uploaded_at=func.now(),
            lease_until=None,
            error_code=None,
            error_message=None,
        )
        waits.end(session, waits.for_medium(one.account_id, one.media_id))
    failpoints.hit("upload.after_commit")
    runtime.waker.stage(one.account_id)


def _stored(runtime: Runtime, one: Upload) -> tuple[str, str]:
    """Where it lies, and its type; posts that nobody could check without it are checked now."""
    with runtime.database.transaction() as session:
        medium = session.get_one(Media, one.media_id)
        if medium.storage_key is None or medium.mime is None:
            raise Unavailable("the medium is not in the storage yet")
        if medium.source_url is not None:
            deferred_validation.fetched(session, one.account_id, one.media_id)
        return medium.storage_key, medium.mime


def _failed(runtime: Runtime, one: Upload, error: PressroomError) -> None:
    """Try again later, hold the account, or give the medium up with its reason."""
    try:
        with runtime.database.transaction() as session:
            if upload_error_policy.of_the_account(error):
                # an upload that may have happened is only litter: as good as one that did not
                kind = Transient(error.message) if upload_error_policy.harmless(error) else error
                leases.went_wrong(session, one.account_id, kind, key_hash=one.key_hash)
            spent = one.attempts >= MAX_ATTEMPTS and not upload_error_policy.outage(error)
            if upload_error_policy.for_good(error) or spent:
                _give_up(session, one, error)
            else:
                _later(session, one, error)
    except ClaimLost:
        return  # its new owner says how it ends


def _later(session: Session, one: Upload, error: PressroomError) -> None:
    _write(
        session,
        one,
        state="pending",
        lease_until=None,
        attempts=one.attempts - 1 if upload_error_policy.outage(error) else one.attempts,
        next_at=leases.now_plus(max(backoff(one.attempts), upload_error_policy.rest(error))),
        error_code=error.code,
        error_message=error.message,
    )


def _give_up(session: Session, one: Upload, error: PressroomError) -> None:
    """The medium cannot be had there, and so no post that needs it can be published."""
    _write(
        session,
        one,
        state="failed",
        lease_until=None,
        error_code=error.code,
        error_message=error.message,
    )
    fail_waiting(session, one.account_id, one.media_id, error.message)


def waiting_for(account_id: int, media_id: int) -> Sequence[ColumnElement[bool]]:
    """Which posts wait for the medium."""
    return (
        Post.account_id == account_id,
        Post.state == PostState.PENDING,
        Post.media_ids.contains([media_id]),
    )


def fail_waiting(session: Session, account_id: int, media_id: int, message: str) -> None:
    waiting = select(Post.id).where(*waiting_for(account_id, media_id))
    ids = session.scalars(waiting.with_for_update(key_share=True)).all()
    transitions.fail(
        session,
        ids,
        PostState.PENDING,
        code="media_refused",
        message=f"its medium {media_id} could not be uploaded: {message}",
        hint="Upload a file that Postiz takes, then publish it again.",
    )
