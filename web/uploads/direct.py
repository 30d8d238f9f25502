"""Uploads straight into the bucket: parts at signed addresses, then the check of the whole."""

from flask import Response
from sqlalchemy.orm import Session

from shared.access.visible_profiles import load_visible
from shared.domain.networks.media_types import ACCEPTED_TYPES, size_limit_message
from shared.errors import FieldError, NotConfigured, TooLarge, UnsupportedMedia
from shared.models import IncomingUpload, Job, Media
from shared.storage.base import DirectUploads
from shared.uploads import incoming_uploads
from shared.uploads.incoming_uploads import DIRECT, ClaimedUpload
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_caller
from web.http_layer.idempotency import Reply, answer_once
from web.http_layer.multipart import base_name
from web.paths import PREFIX
from web.request_parsing import upload_items
from web.schemas.common import IdPath
from web.schemas.incoming_uploads import DirectPartView, DirectUploadView, NewDirectUpload
from web.schemas.uploads import UploadReply
from web.serializers.rows import location_header, media_view, read_job_view
from web.services import current_services
from web.uploads import finishing
from web.uploads.receiving import releasing_claim

_READ_AT_ONCE = 1024**2
_REFUSALS = problem_responses(409, 410, 413, 415, 422, 423, 507)

api = create_blueprint("direct", "Uploads straight into the bucket", write="publish")


@api.post("/media/direct", responses={201: DirectUploadView, **_REFUSALS})
def create_direct_upload(body: NewDirectUpload) -> Response:
    """Begin an upload straight into the bucket: addresses for its parts"""
    profile_id = upload_items.require_upload_profile()
    bucket = _require_bucket()
    _require_accepted(body)
    return answer_once(lambda session: _add_direct_upload(session, bucket, profile_id, body))


@api.post("/media/direct/<id>/complete", responses={202: UploadReply, **_REFUSALS})
def complete_direct_upload(path: IdPath) -> Response:
    """All parts are there: check size, sha256 and type, and make a medium of them"""
    with current_services().uploads.place(current_caller().holder):
        claimed = _claim_upload(path.id)
        if claimed is not None:
            with releasing_claim(claimed):
                _check_and_finish(claimed)
    return _finished_reply(path.id).response()


@api.delete("/media/direct/<id>", responses={204: None, **_REFUSALS})
def end_direct_upload(path: IdPath) -> Response:
    """Give it up; of one that is finished, the medium stays"""
    with current_services().database.transaction() as session:
        row = _load_upload(session, path.id, lock=True)
        incoming_uploads.end_upload(session, row.id)
    finishing.remove_bytes(row.owner)
    return Response(status=204)


def _require_bucket() -> DirectUploads:
    bucket = current_services().storage.direct
    if bucket is None:
        raise NotConfigured(
            "Media are kept in a folder here, not in a bucket (PRESSROOM_MEDIA_URL): "
            "use /uploads or /postiz/upload",
            code="no_bucket",
        )
    return bucket


def _require_accepted(body: NewDirectUpload) -> None:
    """Before a gigabyte is sent for nothing; what really came is checked at its end."""
    kind = ACCEPTED_TYPES.get(body.mime)
    if kind is None:
        message = f"one of {', '.join(sorted(ACCEPTED_TYPES))}"
        fault = FieldError(field="mime", message=message)
        raise UnsupportedMedia(f"Postiz does not take {body.mime!r}", fields=[fault])
    if body.size > kind.limit:
        raise TooLarge(size_limit_message(kind))


def _add_direct_upload(
    session: Session, bucket: DirectUploads, profile_id: str, body: NewDirectUpload
) -> Reply:
    """The bucket is asked before any row is locked; the cleaning waits for the row."""
    settings = current_services().settings
    owner = incoming_uploads.new_owner()
    incoming_uploads.announce_bytes(session)
    remote_id = bucket.begin(owner)
    upload = IncomingUpload(
        kind=DIRECT,
        owner=owner,
        profile_id=profile_id,
        size=body.size,
        sha256=body.sha256,
        mime=body.mime,
        name=base_name(body.filename),
        external_id=body.external_id,
        remote_id=remote_id,
    )
    row = incoming_uploads.add_upload(session, settings, upload)
    parts = bucket.sign_parts(owner, remote_id, body.size, settings.upload_expiry_seconds)
    view = DirectUploadView(
        id=str(row.id),
        expires_at=row.expires_at,
        parts=[DirectPartView(number=part.number, size=part.size, url=part.url) for part in parts],
    )
    location = {"Location": f"{PREFIX}/media/direct/{row.id}"}
    return Reply(body=view, status=201, headers=location)


def _load_upload(session: Session, upload_id: str, *, lock: bool = False) -> IncomingUpload:
    visible = current_caller().visible
    return incoming_uploads.load_upload(session, upload_id, visible, DIRECT, lock=lock)


def _claim_upload(upload_id: str) -> ClaimedUpload | None:
    """None if it is a medium already."""
    holder = current_services().process_lock.hold()
    with current_services().database.transaction() as session:
        row = _load_upload(session, upload_id, lock=True)
        _require_bucket()
        return None if row.finished_at else incoming_uploads.claim_upload(session, row, holder)


def _check_and_finish(claimed: ClaimedUpload) -> None:
    bucket = _require_bucket()
    assert claimed.remote_id is not None  # every direct upload has one
    with (
        bucket.complete(claimed.owner, claimed.remote_id, claimed.size) as incoming,
        incoming.read_back() as file,
    ):
        finishing.finish_upload(claimed, incoming, iter(lambda: file.read(_READ_AT_ONCE), b""))


def _finished_reply(upload_id: str) -> Reply:
    """The same however often it is asked for. Raises `NotFound` if what it made was deleted."""
    with current_services().database.reading() as session:
        row, visible = _load_upload(session, upload_id), current_caller().visible
        job = load_visible(session, Job, str(row.job_id), visible)
        media = load_visible(session, Media, str(row.media_id), visible)
        assert row.finished_at is not None  # it has a medium
        duplicate = media.created_at < row.finished_at  # else one transaction made both
        shown = media_view(media, duplicate=duplicate)
        body = UploadReply(job=read_job_view(session, job), media=shown)
        return Reply(body=body, status=202, headers=location_header(job))
