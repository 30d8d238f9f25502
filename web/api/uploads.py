"""Uploads: files streamed to the storage, or addresses that a worker fetches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flask import Response, request
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from shared import accepting, addresses, media, profiles
from shared.accepting import Upload
from shared.domain.sniff import MP4, VIDEO_LIMIT, too_large
from shared.errors import FieldError, InvalidRequest, RequestError, TooLarge, Unprocessable
from shared.models import AccountMedia, Job, Media
from shared.receiving import Received
from web import multipart
from web.api.resource import problems, resource
from web.auth import current_profile
from web.errors import refuse_invalid
from web.idempotency import Reply, once
from web.schemas.uploads import (
    BulkUploadByUrl,
    BulkUploadReply,
    ItemError,
    UploadByUrl,
    UploadedItem,
    UploadReply,
)
from web.services import services
from web.upload_docs import FILES_OR_URLS, ONE_FILE_OR_URL
from web.views import location, media_view, new_job_view, wake_uploads

#: What a multipart body has besides its file.
_OVERHEAD = 1024**2
_EXTERNAL_ID = "external_id"
_EXTERNAL_ID_LENGTH = 255
_REFUSALS = problems(409, 413, 415, 422, 507)

B = TypeVar("B", bound=BaseModel)

api = resource("uploads", "Files for the profile's Postiz", write="publish")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One file or address of a request. `add` makes its row, or finds that it is there already."""

    index: int = 0
    add: Callable[[Session], tuple[Media, bool]] | None = None
    error: RequestError | None = None
    external_id: str | None = None
    order: str = ""  # rows are made in one order, so that two requests cannot deadlock


@api.post(
    "/postiz/upload",
    responses={202: UploadReply, **_REFUSALS},
    openapi_extensions=ONE_FILE_OR_URL,
)
def upload() -> Response:
    """Upload a file, or what lies at a URL, to the profile's Postiz"""
    profile_id = _configured_profile()
    if request.mimetype != multipart.MIMETYPE:
        body = _json(UploadByUrl)
        return once(lambda session: _upload(session, profile_id, _url_item(profile_id, 0, body)))
    if (request.content_length or 0) > VIDEO_LIMIT + _OVERHEAD:
        raise TooLarge(too_large(MP4))
    fields = frozenset({_EXTERNAL_ID})
    with multipart.receive(services().storage, single=True, fields=fields) as form:
        external_id = _external_id(form.fields)
        item = _file_item(profile_id, 0, form.parts[0], external_id)
        return once(lambda session: _upload(session, profile_id, item), content=form.content())


@api.post(
    "/postiz/bulk-upload",
    responses={202: BulkUploadReply, **_REFUSALS},
    openapi_extensions=FILES_OR_URLS,
)
def bulk_upload() -> Response:
    """Upload several files, or what lies at several URLs; each is accepted or refused by itself"""
    profile_id = _configured_profile()
    if request.mimetype != multipart.MIMETYPE:
        body = _json(BulkUploadByUrl)
        items = [_tried_url(profile_id, index, row) for index, row in enumerate(body.items)]
        return once(lambda session: _bulk(session, profile_id, items))
    with multipart.receive(services().storage, single=False, fields=frozenset()) as form:
        items = [_file_item(profile_id, i, part) for i, part in enumerate(form.parts)]
        return once(lambda session: _bulk(session, profile_id, items), content=form.content())


def _configured_profile() -> str:
    """Known before a gigabyte is sent in vain. Raises `NotConfigured`."""
    with services().database.transaction() as session:
        profile = profiles.get(session, current_profile(session))
        profiles.require_credentials(profile, services().settings, services().box)
        return profile.id


def _json(model: type[B]) -> B:
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


def _file_item(
    profile_id: str, index: int, part: multipart.Part, external_id: str | None = None
) -> Item:
    received, storage = part.received, services().storage
    if received is None:
        return Item(index=index, error=part.error)

    def add(session: Session, received: Received = received) -> tuple[Media, bool]:
        return media.add_file(session, storage, profile_id, received)

    return Item(index=index, add=add, external_id=external_id, order=received.sha256)


def _url_item(profile_id: str, index: int, body: UploadByUrl) -> Item:
    """Raises `InvalidRequest` for an address that we may not fetch."""
    addresses.require_allowed(body.url, allow_private=services().settings.allow_private_urls)

    def add(session: Session) -> tuple[Media, bool]:
        return media.add_url(session, profile_id, body.url), False

    return Item(index=index, add=add, external_id=body.external_id)


def _tried_url(profile_id: str, index: int, body: UploadByUrl) -> Item:
    try:
        return _url_item(profile_id, index, body)
    except InvalidRequest as error:
        return Item(index=index, error=error)


def _upload(session: Session, profile_id: str, item: Item) -> Reply:
    job, waiting, [shown] = _accept(session, profile_id, [item], kind="upload")
    assert shown.media is not None  # a file that is refused raises before
    return Reply(
        body=UploadReply(job=new_job_view(session, job), media=shown.media),
        status=202,
        headers=location(job),
        afterwards=lambda: wake_uploads(waiting),
    )


def _bulk(session: Session, profile_id: str, items: Sequence[Item]) -> Reply:
    if all(item.error for item in items):
        faults = [
            FieldError(
                field=f"items.{item.index}", message=item.error.message, code=item.error.code
            )
            for item in items
            if item.error
        ]
        raise Unprocessable("None of the items can be uploaded", fields=faults)
    job, waiting, shown = _accept(session, profile_id, items, kind="bulk_upload")
    return Reply(
        body=BulkUploadReply(job=new_job_view(session, job), items=shown),
        status=202,
        headers=location(job),
        afterwards=lambda: wake_uploads(waiting),
    )


def _accept(
    session: Session, profile_id: str, items: Sequence[Item], *, kind: str
) -> tuple[Job, list[int], list[UploadedItem]]:
    """The job of the good items, the rows that wait for a worker, and what became of each item."""
    account = accepting.account_for(session, profile_id, services().settings, services().box)
    added = {
        item.index: item.add(session)
        for item in sorted(items, key=lambda item: item.order)
        if item.add is not None
    }
    uploads = [
        Upload(media_id=added[item.index][0].id, external_id=item.external_id)
        for item in items
        if item.index in added
    ]
    job, rows = accepting.accept_uploads(session, profile_id, account, uploads, kind=kind)
    return job, _waiting(rows), [_shown(item, added.get(item.index)) for item in items]


def _waiting(rows: Sequence[AccountMedia]) -> list[int]:
    return [row.id for row in rows if row.state == "pending"]


def _shown(item: Item, added: tuple[Media, bool] | None) -> UploadedItem:
    if added is None:
        assert item.error is not None  # an item is either added or refused
        error = ItemError(code=item.error.code, message=item.error.message)
        return UploadedItem(index=item.index, ok=False, error=error)
    row, duplicate = added
    return UploadedItem(index=item.index, ok=True, media=media_view(row, duplicate=duplicate))
