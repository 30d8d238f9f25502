"""Uploads: a file of the body, or what lies at an address, fetched at once if it is quick."""

import time
from functools import partial
from typing import Any

from flask import Response, request
from pydantic import RootModel
from sqlalchemy.orm import Session

from shared.domain.networks.limits import IMAGE_BYTES, VIDEO_BYTES
from shared.domain.networks.media_types import MP4, size_limit_message
from shared.errors import InvalidRequest, RequestError, TooLarge, Transient, UnsupportedMedia
from shared.media.ingest import Receiver
from shared.models import Media
from shared.net.download import read_url
from shared.net.outbound_route import Route
from web.auth import current_caller
from web.http_layer import multipart
from web.http_layer.idempotency import Reply, answer_once, find_answer
from web.media import files
from web.postiz_front import bodies, media_paths, replies
from web.postiz_front.blueprint import front
from web.postiz_front.call import BAD_ENDING, has_valid_ending
from web.postiz_front.replies import Refused
from web.request_parsing import upload_items
from web.request_parsing.upload_items import Item
from web.schemas.uploads import UploadByUrl
from web.services import current_services

#: A file that takes longer to fetch is left to a worker (seconds).
FETCH_SECONDS = 20.0
#: Bytes of a multipart body besides its file.
_OVERHEAD = 1024**2
_NOT_PUBLIC = "URL must be a public HTTPS URL and cannot point to internal network addresses"
_UNSUPPORTED = "Unsupported file type."
_EMPTY = "empty_file"


class Uploaded(RootModel[dict[str, Any]]):
    """As Postiz answers an upload."""


class TakesLong(Exception):
    """The file is not here in time."""


@front.post("/upload")
def upload() -> Response:
    profile_id = upload_items.require_upload_profile()
    if request.mimetype != multipart.MIMETYPE:
        raise replies.custom(400, "No file provided")
    if (request.content_length or 0) > VIDEO_BYTES + _OVERHEAD:
        raise _too_large(VIDEO_BYTES)
    ours = current_services()
    try:
        with (
            ours.uploads.place(current_caller().holder),
            multipart.receive_body(ours.storage, single=True, fields=None) as form,
        ):
            item = upload_items.store_file(profile_id, 0, form.parts[0])
            accept = partial(_accept, profile_id=profile_id, item=item)
            return answer_once(accept, content=form.content())
    except (InvalidRequest, TooLarge, UnsupportedMedia) as error:
        raise _refuse_file(error) from error


def _refuse_file(error: RequestError) -> Refused | RequestError:  # noqa: PLR0911 (a table)
    fault = error.fields[0] if error.fields else None
    match error, fault.code if fault else error.code:
        case _, multipart.NO_FILE:
            return replies.custom(400, "No file provided")
        case _, multipart.UNKNOWN_FILE | multipart.TOO_MANY_FILES:
            return replies.bad_request(f"Unexpected field - {fault.field if fault else ''}")
        case _, "broken_body":
            return replies.bad_request("Multipart: Unexpected end of form")
        case UnsupportedMedia(), _:
            return replies.bad_request(_UNSUPPORTED)
        case _, "empty_file":
            return replies.bad_request(_UNSUPPORTED)
        case TooLarge(), _:
            is_video = error.message == size_limit_message(MP4)
            return _too_large(VIDEO_BYTES if is_video else IMAGE_BYTES)
        case _:
            return error


def _too_large(most: int) -> Refused:
    return replies.bad_request(f"File size exceeds the maximum allowed size of {most} bytes.")


def _accept(session: Session, *, profile_id: str, item: Item) -> Reply:
    _, waiting, [shown] = upload_items.accept_items(session, profile_id, [item], kind="upload")
    assert shown.media is not None  # a refused file has raised before
    medium = session.get_one(Media, int(shown.media.id))
    return Reply(
        body=Uploaded(media_paths.media_reply(medium)),
        status=201,
        afterwards=lambda: current_services().waker.uploads(waiting),
    )


@front.post("/upload-from-url")
def upload_from_url() -> Response:
    body, content = bodies.read_body()
    profile_id = upload_items.require_upload_profile()
    url = _read_url(body)
    if (earlier := find_answer(content)) is not None:
        return earlier
    [by_url] = upload_items.url_items(profile_id, [UploadByUrl(url=url)])
    if by_url.error is not None:
        raise replies.bad_request([_NOT_PUBLIC])
    try:
        return _fetch_now(profile_id, url, content)
    except TakesLong:
        accept = partial(_accept, profile_id=profile_id, item=by_url)
        return answer_once(accept, content=content)
    except UnsupportedMedia as error:
        raise replies.custom(400, _UNSUPPORTED) from error
    except TooLarge as error:
        raise replies.custom(400, "File is too large.") from error
    except InvalidRequest as error:
        is_empty = error.code == _EMPTY
        raise replies.custom(400, _UNSUPPORTED if is_empty else "Failed to fetch URL") from error
    except Transient as error:
        raise replies.custom(400, "Failed to fetch URL") from error


def _read_url(body: Any) -> str:
    url = body.get("url") if isinstance(body, dict) else None
    checks = (
        (url is None, "url should not be null or undefined"),
        (not has_valid_ending(url), BAD_ENDING),
        (not isinstance(url, str), "url must be a string"),
        (not _may_be_public(url), _NOT_PUBLIC),
    )
    if faults := [words for is_wrong, words in checks if is_wrong]:
        raise replies.bad_request(faults)
    return str(url)


def _may_be_public(url: Any) -> bool:
    """By its form. Where private addresses are allowed, http is as well."""
    schemes = ("https://", "http://")
    allowed = schemes if current_services().settings.allow_private_urls else schemes[:1]
    return isinstance(url, str) and url.startswith(allowed) and len(url) <= 2000


def _fetch_now(profile_id: str, url: str, content: str) -> Response:
    ours = current_services()
    until = time.monotonic() + FETCH_SECONDS
    with ours.uploads.place(current_caller().holder), ours.storage.receive() as incoming:
        receiver = Receiver(incoming)
        for piece in read_url(url, Route.from_settings(ours.settings)):
            receiver.write(piece)
            if time.monotonic() > until:
                raise TakesLong
        item = upload_items.received_item(profile_id, 0, receiver.finish())
        return answer_once(partial(_accept, profile_id=profile_id, item=item), content=content)


@front.get("/media/<name>")
def send_medium(name: str) -> Response:
    """The file, for whoever has the key: the path that an upload answered leads to it."""
    return files.file_response(media_paths.find_own_id(f"/media/{name}") or "")
