"""Uploads: files that are streamed to the storage, or addresses that a worker fetches."""

from collections.abc import Sequence
from typing import TypeVar

from flask import Response, request
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from shared.domain.networks.limits import VIDEO_BYTES
from shared.domain.networks.media_types import MP4, size_limit_message
from shared.errors import FieldError, InvalidRequest, TooLarge, Unprocessable
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_caller
from web.http_layer import multipart
from web.http_layer.idempotency import Reply, answer_once, find_answer
from web.http_layer.problems import refuse_invalid
from web.openapi.upload_body import FILES_OR_URLS, ONE_FILE_OR_URL
from web.request_parsing import upload_items
from web.request_parsing.upload_items import Item
from web.schemas.uploads import (
    BulkUploadByUrl,
    BulkUploadReply,
    UploadByUrl,
    UploadReply,
)
from web.serializers.rows import location_header, new_job_view
from web.services import current_services

#: Bytes of a multipart body besides its file.
_OVERHEAD = 1024**2
_EXTERNAL_ID = "external_id"
_EXTERNAL_ID_LENGTH = 255
_REFUSALS = problem_responses(409, 413, 415, 422, 507)

B = TypeVar("B", bound=BaseModel)

api = create_blueprint("uploads", "Files for the profile's Postiz", write="publish")


@api.post(
    "/postiz/upload",
    responses={202: UploadReply, **_REFUSALS},
    openapi_extensions=ONE_FILE_OR_URL,
)
def upload() -> Response:
    """Upload a file, or what lies at a URL, to the profile's Postiz"""
    profile_id = upload_items.require_upload_profile()
    if request.mimetype != multipart.MIMETYPE:
        wanted = _parse_json(UploadByUrl)
        if (earlier := find_answer()) is not None:
            return earlier
        [by_url] = upload_items.url_items(profile_id, [wanted])
        if by_url.error:
            raise by_url.error
        return answer_once(lambda session: _accept_upload(session, profile_id, by_url))
    if (request.content_length or 0) > VIDEO_BYTES + _OVERHEAD:
        raise TooLarge(size_limit_message(MP4))
    fields = frozenset({_EXTERNAL_ID})
    with (
        current_services().uploads.place(current_caller().holder),
        multipart.receive_body(current_services().storage, single=True, fields=fields) as form,
    ):
        external_id = _external_id(form.fields)
        item = upload_items.store_file(profile_id, 0, form.parts[0], external_id)
        return answer_once(
            lambda session: _accept_upload(session, profile_id, item), content=form.content()
        )


@api.post(
    "/postiz/bulk-upload",
    responses={202: BulkUploadReply, **_REFUSALS},
    openapi_extensions=FILES_OR_URLS,
)
def bulk_upload() -> Response:
    """Upload several files, or what lies at several URLs; each is accepted or refused by itself"""
    profile_id = upload_items.require_upload_profile()
    if request.mimetype != multipart.MIMETYPE:
        items = upload_items.url_items(profile_id, _parse_json(BulkUploadByUrl).items)
        return answer_once(lambda session: _accept_bulk_upload(session, profile_id, items))
    with (
        current_services().uploads.place(current_caller().holder),
        multipart.receive_body(
            current_services().storage, single=False, fields=frozenset()
        ) as form,
    ):
        items = [upload_items.store_file(profile_id, i, part) for i, part in enumerate(form.parts)]
        return answer_once(
            lambda session: _accept_bulk_upload(session, profile_id, items), content=form.content()
        )


def _parse_json(model: type[B]) -> B:
    try:
        return model.model_validate(request.get_json())
    except ValidationError as error:
        refuse_invalid(error)


def _external_id(fields: dict[str, str]) -> str | None:
    value = fields.get(_EXTERNAL_ID)
    if value is not None and len(value) > _EXTERNAL_ID_LENGTH:
        message = f"at most {_EXTERNAL_ID_LENGTH} characters"
        fault = FieldError(field=_EXTERNAL_ID, message=message)
        raise InvalidRequest(f"{_EXTERNAL_ID}: {message}", fields=[fault])
    return value


def _accept_upload(session: Session, profile_id: str, item: Item) -> Reply:
    job, waiting, [shown] = upload_items.accept_items(session, profile_id, [item], kind="upload")
    assert shown.media is not None  # a refused file raises before
    return Reply(
        body=UploadReply(job=new_job_view(session, job), media=shown.media),
        status=202,
        headers=location_header(job),
        afterwards=lambda: current_services().waker.uploads(waiting),
    )


def _accept_bulk_upload(session: Session, profile_id: str, items: Sequence[Item]) -> Reply:
    if all(item.error for item in items):
        faults = [
            FieldError(
                field=f"items.{item.index}", message=item.error.message, code=item.error.code
            )
            for item in items
            if item.error
        ]
        raise Unprocessable("None of the items can be uploaded", fields=faults)
    job, waiting, shown = upload_items.accept_items(session, profile_id, items, kind="bulk_upload")
    return Reply(
        body=BulkUploadReply(job=new_job_view(session, job), items=shown),
        status=202,
        headers=location_header(job),
        afterwards=lambda: current_services().waker.uploads(waiting),
    )
