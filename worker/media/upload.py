"""Upload: sends a medium to an account's Postiz, once."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import ColumnElement, CursorResult, and_, func, not_, or_, select, update
from sqlalchemy.orm import Session

from shared import failpoints
from shared.accounts import waits
from shared.domain.publishing.states import PostState
from shared.errors import (
    ClaimLost,
    InvalidRequest,
    Paused,
    PressroomError,
    PublisherError,
    RequestError,
    Transient,
    Unavailable,
)
from shared.media.post_media import uses_any_of
from shared.models import Account, AccountMedia, Job, JobMedia, Media, Post, Profile
from shared.postiz.payloads import RemoteMedia
from shared.posts import transitions
from shared.profiles.credential_ref import CredentialRef
from shared.profiles.publisher_cache import Publisher
from shared.task_queue import UPLOAD
from worker import heartbeats
from worker.accounts import leases, postiz_call
from worker.accounts.defects import translate_defects
from worker.accounts.eligibility import is_rested, may_send
from worker.accounts.error_policy import MAX_ATTEMPTS, backoff_seconds
from worker.media import upload_error_policy
from worker.media.heartbeat_file import HeartbeatFile
from worker.runtime import Runtime
from worker.staging import deferred_validation

LEASE = 60.0
HEARTBEAT = 10.0
#: States of posts that need their media in Postiz, and of which nothing is there yet.
_UNSENT = (PostState.PENDING, PostState.WAITING_APPROVAL)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A claimed upload."""

    id: int
    claim: int
    media_id: int
    credentials: CredentialRef
    attempts: int


def upload_medium(runtime: Runtime, account_media_id: int) -> bool:
    """Send the medium to its account's Postiz; one that is only an address yet is not claimed.

    Returns whether we claimed the upload, whatever its result.
    """
    with runtime.database.transaction() as session:
        upload = claim_upload(session, account_media_id, not_(needs_fetch()))
    if upload is None:
        return False
    beat = Heartbeat(runtime, upload)
    try:
        with translate_defects("upload", sent=True):
            _transfer_medium(runtime, upload, beat)
    except ClaimLost:
        return True
    except (PublisherError, RequestError, Unavailable) as error:
        record_failed_upload(runtime, upload, error)
    return True


def claim_upload(
    session: Session, account_media_id: int, *conditions: ColumnElement[bool]
) -> Upload | None:
    """None if it is not to be made now, or does not meet `conditions`."""
    claim = leases.new_claim()
    row = session.scalar(
        update(AccountMedia)
        .where(
            AccountMedia.id == account_media_id,
            AccountMedia.state == "pending",
            AccountMedia.next_at <= func.now(),
            may_start(),
            *conditions,
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


def needs_fetch() -> ColumnElement[bool]:
    """The medium was given as an address, and its file is not in the storage."""
    unfetched = Media.storage_key.is_(None), Media.source_url.is_not(None)
    return select(Media.id).where(Media.id == AccountMedia.media_id, *unfetched).exists()


def may_start() -> ColumnElement[bool]:
    """The profile's key may be used, and no pause of profile, account or all its jobs applies."""
    profile = select(Profile.id).join(Account, Account.id == Profile.account_id)
    usable = profile.where(
        Account.id == AccountMedia.account_id,
        Profile.id == AccountMedia.profile_id,
        is_rested(),
        *may_send(),
    )
    job = select(Job.id).join(JobMedia, JobMedia.job_id == Job.id)
    wanted = job.where(JobMedia.account_media_id == AccountMedia.id)
    by_paused, by_others = wanted.where(Job.paused), wanted.where(Job.paused.is_(False))
    own = [part.correlate(AccountMedia).exists() for part in (usable, by_paused, by_others)]
    return and_(own[0], or_(not_(own[1]), own[2]))


def _check_before_send(runtime: Runtime, upload: Upload, publisher: Publisher) -> None:
    """The last check before the file's first byte.

    Raises `SettingsChanged`, `ProfileGone` or `Paused`.
    """
    may = select(may_start()).where(AccountMedia.id == upload.id).scalar_subquery()
    if not postiz_call.ask_with_settings(runtime, publisher, may):
        raise Paused("held back before it was uploaded")


def _upload_of(session: Session, row: AccountMedia, claim: int) -> Upload:
    profile = session.get_one(Profile, row.profile_id)
    return Upload(
        id=row.id,
        claim=claim,
        media_id=row.media_id,
        credentials=CredentialRef.from_profile(profile, row.account_id),
        attempts=row.attempts,
    )


class Heartbeat:
    """Extends the lease while bytes are sent; raises `ClaimLost` if another worker has taken it.

    It also records the queue's heartbeat, because a pool may be busy with long uploads only.
    """

    def __init__(self, runtime: Runtime, upload: Upload, queue: str = UPLOAD) -> None:
        self._runtime = runtime
        self._queue = queue
        self._upload = upload
        self._last = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._last < HEARTBEAT:
            return
        with self._runtime.database.transaction() as session:
            update_claimed_upload(
                session, self._upload, lease_until=func.now() + timedelta(seconds=LEASE)
            )
        heartbeats.record_queue_heartbeat(self._runtime, self._queue)
        self._last = time.monotonic()


def update_claimed_upload(session: Session, upload: Upload, **values: object) -> None:
    """Change the row if it is still under our claim. Raises `ClaimLost`."""
    query = update(AccountMedia).where(
        AccountMedia.id == upload.id,
        AccountMedia.claim == upload.claim,
        AccountMedia.state == "uploading",
    )
    result = session.execute(query.values(**values))
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        raise ClaimLost(f"upload {upload.id} is no longer ours")


def _transfer_medium(runtime: Runtime, upload: Upload, beat: Heartbeat) -> None:
    key, mime = _validate_stored_medium(runtime, upload)
    name = f"{upload.media_id}.{mime.rsplit('/', 1)[1]}"
    size = runtime.storage.size(key)

    def send_file(publisher: Publisher) -> RemoteMedia:
        with runtime.storage.open(key) as file:
            check = partial(_check_before_send, runtime, upload, publisher)
            stream = HeartbeatFile(file, size, beat)
            return publisher.postiz.upload(name, mime, stream, last_check=check)

    failpoints.hit("upload.before_call")
    remote = postiz_call.make_checked_call(runtime, upload.credentials, send_file)
    failpoints.hit("upload.after_call")
    account_id = upload.credentials.account_id
    with runtime.database.transaction() as session:
        leases.record_success(session, account_id)
        update_claimed_upload(
            session,
            upload,
            state="uploaded",
            postiz_id=remote.id,
            postiz_path=remote.path,
            uploaded_at=func.now(),
            lease_until=None,
            error_code=None,
            error_message=None,
        )
        waits.end_wait(session, waits.for_medium(account_id, upload.media_id))
    failpoints.hit("upload.after_commit")
    runtime.waker.stage(account_id)


def _validate_stored_medium(runtime: Runtime, upload: Upload) -> tuple[str, str]:
    """The medium's storage key and MIME type; posts that wait for its check are checked now."""
    with runtime.database.transaction() as session:
        medium = session.get_one(Media, upload.media_id)
        if medium.storage_key is None or medium.mime is None:
            raise InvalidRequest("The file of this medium was removed. Upload it again")
        if medium.source_url is not None:
            account_id = upload.credentials.account_id
            deferred_validation.check_posts_with_medium(session, account_id, upload.media_id)
        return medium.storage_key, medium.mime


def record_failed_upload(runtime: Runtime, upload: Upload, error: PressroomError) -> None:
    """Retry later, hold the account, or fail the upload with the reason."""
    try:
        with runtime.database.transaction() as session:
            if upload_error_policy.is_account_error(error):
                # an upload that may have succeeded does no harm, and is made again
                kind = Transient(error.message) if upload_error_policy.is_harmless(error) else error
                leases.record_failure(session, upload.credentials, kind)
            spent = upload.attempts >= MAX_ATTEMPTS and not upload_error_policy.is_outage(error)
            if upload_error_policy.is_final(error) or spent:
                _give_up_upload(session, upload, error)
            else:
                _schedule_retry(session, upload, error)
    except ClaimLost:
        return  # its new owner records the result


def _schedule_retry(session: Session, upload: Upload, error: PressroomError) -> None:
    update_claimed_upload(
        session,
        upload,
        state="pending",
        lease_until=None,
        attempts=upload.attempts - 1 if upload_error_policy.is_outage(error) else upload.attempts,
        next_at=leases.now_plus(
            max(backoff_seconds(upload.attempts), upload_error_policy.retry_wait_seconds(error))
        ),
        error_code=error.code,
        error_message=error.message,
    )


def _give_up_upload(session: Session, upload: Upload, error: PressroomError) -> None:
    """Fail the upload, and the posts that need the medium."""
    update_claimed_upload(
        session,
        upload,
        state="failed",
        lease_until=None,
        error_code=error.code,
        error_message=error.message,
    )
    fail_waiting_posts(session, upload.credentials.account_id, upload.media_id, error.message)


def waiting_posts_condition(account_id: int, media_id: int) -> Sequence[ColumnElement[bool]]:
    """Posts that wait for the medium."""
    return (
        Post.account_id == account_id,
        Post.state.in_(_UNSENT),
        uses_any_of([media_id]),
    )


def fail_waiting_posts(session: Session, account_id: int, media_id: int, message: str) -> None:
    waiting = select(Post.id, Post.state).where(*waiting_posts_condition(account_id, media_id))
    rows = session.execute(waiting.with_for_update(key_share=True)).all()
    for state in _UNSENT:
        transitions.fail_posts(
            session,
            [row.id for row in rows if row.state == state],
            state,
            code="media_refused",
            message=f"its medium {media_id} could not be uploaded: {message}",
            hint="Upload a file that Postiz takes, then publish it again.",
        )
