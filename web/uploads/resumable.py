"""Resumable uploads, as the protocol tus 1.0.0 has them (https://tus.io/protocols/resumable-upload)."""

from typing import Any

from flask import Response, request
from pydantic import ValidationError
from sqlalchemy.orm import Session

from shared.domain.networks.limits import VIDEO_BYTES
from shared.domain.networks.media_types import MP4, size_limit_message
from shared.errors import FieldError, InvalidRequest, NotFound, PressroomError, TooLarge
from shared.models import IncomingUpload
from shared.uploads import incoming_uploads
from shared.uploads.incoming_uploads import RESUMABLE
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_caller
from web.http_layer.idempotency import HEADER as IDEMPOTENCY_KEY
from web.http_layer.idempotency import REPLAYED, Reply, answer_once
from web.http_layer.multipart import base_name
from web.http_layer.problems import refuse_invalid
from web.paths import PREFIX
from web.request_parsing import upload_items
from web.schemas.common import IdPath
from web.schemas.incoming_uploads import (
    CreationHeaders,
    IncomingUploadView,
    OverrideHeaders,
    PatchHeaders,
    TusHeaders,
)
from web.services import current_services
from web.uploads import receiving, tus_headers
from web.uploads.finishing import remove_bytes
from web.uploads.tus_headers import Checksum

_EXTERNAL_ID_LENGTH = 255
_BYTES = {tus_headers.CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}}
_REFUSALS = problem_responses(409, 410, 412, 413, 415, 422, 423, 460, 507)
_DONE: dict[Any, Any] = {204: {"description": "Upload-Offset tells how much is here"}}

api = create_blueprint("resumable", "Uploads that go on after a break (tus 1.0.0)", write="publish")
api.after_request(tus_headers.add_common_headers)


@api.post(
    "/uploads",
    responses={201: {"description": "Location is where its bytes go"}, **_REFUSALS},
    openapi_extensions={"requestBody": {"required": False, "content": _BYTES}},
)
def create_upload(header: CreationHeaders) -> Response:
    """Begin a resumable upload, with or without its first bytes"""
    tus_headers.require_version(header.version)
    if brings_bytes := receiving.has_body():
        tus_headers.require_content_type()
    checksum = tus_headers.parse_checksum(header.checksum)
    row = _new_upload(header)
    response = answer_once(
        lambda session: _add_upload(session, row), content=f"{header.length} {header.metadata}"
    )
    if brings_bytes and REPLAYED not in response.headers:
        _receive_first(row, checksum)
    upload_id = response.headers["Location"].rpartition("/")[2]
    response.headers.update(tus_headers.upload_headers(_read_upload(upload_id)))
    return response


def _receive_first(row: IncomingUpload, checksum: Checksum | None) -> None:
    """What fails is ended: its client does not know yet where it is."""
    try:
        receiving.receive_bytes(str(row.id), 0, checksum)
    except PressroomError:
        if IDEMPOTENCY_KEY not in request.headers:  # else the repeated request asks for it
            with current_services().database.transaction() as session:
                incoming_uploads.end_upload(session, row.id)
            remove_bytes(row.owner)
        raise


def _new_upload(header: CreationHeaders) -> IncomingUpload:
    if header.length is None:
        message = "is needed: the length must be known"
        fault = FieldError(field="Upload-Length", message=message)
        raise InvalidRequest(f"Upload-Length {message}", fields=[fault])
    if not header.length:
        raise InvalidRequest("The file is empty", code="empty_file")
    if header.length > VIDEO_BYTES:
        raise TooLarge(size_limit_message(MP4))
    named = tus_headers.parse_metadata(header.metadata)
    external_id = named.get("external_id")
    if external_id is not None and len(external_id) > _EXTERNAL_ID_LENGTH:
        message = f"at most {_EXTERNAL_ID_LENGTH} characters"
        fault = FieldError(field="external_id", message=message)
        raise InvalidRequest(f"external_id: {message}", fields=[fault])
    return IncomingUpload(
        kind=RESUMABLE,
        owner=incoming_uploads.new_owner(),
        profile_id=upload_items.require_upload_profile(),
        size=header.length,
        name=base_name(named.get("filename")),
        external_id=external_id,
        tus_metadata=header.metadata,
    )


def _add_upload(session: Session, row: IncomingUpload) -> Reply:
    incoming_uploads.add_upload(session, current_services().settings, row)
    return Reply(body=None, status=201, headers={"Location": f"{PREFIX}/uploads/{row.id}"})


@api.get("/uploads/<id>", responses={200: IncomingUploadView, **_REFUSALS})
def show_upload(path: IdPath, header: TusHeaders) -> Response:
    """How much of a resumable upload is here; HEAD tells it in headers, as tus has it"""
    if request.method == "HEAD":
        tus_headers.require_version(header.version)
    row = _read_upload(path.id)
    headers = tus_headers.head_headers(row)
    view = IncomingUploadView(
        id=str(row.id),
        profile_id=row.profile_id,
        size=row.size,
        offset=int(headers["Upload-Offset"]),
        name=row.name,
        external_id=row.external_id,
        expires_at=row.expires_at,
        media_id=headers.get(tus_headers.MEDIA_ID),
        job_id=headers.get(tus_headers.JOB_ID),
    )
    return Reply(body=view, headers=headers).response()


@api.patch(
    "/uploads/<id>",
    responses={**_DONE, **_REFUSALS},
    openapi_extensions={"requestBody": {"required": True, "content": _BYTES}},
)
def continue_upload(path: IdPath, header: PatchHeaders) -> Response:
    """Send the next bytes; the answer to the last ones names the medium"""
    return _continue_upload(path, header)


def _continue_upload(path: IdPath, header: PatchHeaders) -> Response:
    tus_headers.require_version(header.version)
    tus_headers.require_content_type()
    checksum = tus_headers.parse_checksum(header.checksum)
    receiving.receive_bytes(path.id, header.offset, checksum)
    return Response(status=204, headers=tus_headers.upload_headers(_read_upload(path.id)))


@api.delete("/uploads/<id>", responses={204: None, **_REFUSALS})
def end_upload(path: IdPath, header: TusHeaders) -> Response:
    """Give an upload up; of one that is finished, the medium stays"""
    return _end_upload(path, header)


def _end_upload(path: IdPath, header: TusHeaders) -> Response:
    tus_headers.require_version(header.version)
    with current_services().database.transaction() as session:
        visible = current_caller().visible
        row = incoming_uploads.load_upload(session, path.id, visible, RESUMABLE, lock=True)
        incoming_uploads.end_upload(session, row.id)
    remove_bytes(row.owner)
    return Response(status=204)


@api.post(
    "/uploads/<id>",
    responses={**_DONE, **_REFUSALS},
    openapi_extensions={"requestBody": {"required": False, "content": _BYTES}},
)
def override_method(path: IdPath, header: OverrideHeaders) -> Response:
    """PATCH or DELETE from clients that can only POST, as `X-HTTP-Method-Override` says"""
    method = (header.method or "").upper()
    try:
        if method == "PATCH":
            return _continue_upload(path, PatchHeaders.model_validate(dict(request.headers)))
        if method == "DELETE":
            return _end_upload(path, TusHeaders.model_validate(dict(request.headers)))
    except ValidationError as error:
        refuse_invalid(error)
    raise NotFound("There is nothing to POST here, but with X-HTTP-Method-Override")


def _read_upload(upload_id: str) -> IncomingUpload:
    with current_services().database.reading() as session:
        visible = current_caller().visible
        return incoming_uploads.load_upload(session, upload_id, visible, RESUMABLE)
