"""The file of a medium, and a small picture of it."""

from collections.abc import Hashable
from pathlib import PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import quote

from flask import Response, request
from werkzeug.wsgi import FileWrapper

from shared.domain.networks.media_types import ACCEPTED_TYPES
from shared.errors import Conflict
from shared.media import thumbnails
from shared.models import Media
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_caller
from web.media.library import load_medium
from web.schemas.common import IdPath
from web.services import current_services

_PIECE = 256 * 1024
_ANYTHING = "application/octet-stream"
_ENDINGS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[Any, Any] = {
    status: {"description": what, "content": dict.fromkeys((*ACCEPTED_TYPES, _ANYTHING), _BINARY)}
    for status, what in ((200, "The file"), (206, "The part that `Range` asked for"))
}
_THUMBNAIL: dict[Any, Any] = {
    200: {"description": "A JPEG of at most 320 pixels", "content": {"image/jpeg": _BINARY}}
}

api = create_blueprint("media_files", "The files themselves", write="publish")


@api.get("/media/<id>/file", responses={**_FILE, **problem_responses(409, 416)})
def send_file(path: IdPath) -> Response:
    """The file, to be saved; also in part (`Range`)"""
    return file_response(path.id)


def file_response(media_id: str) -> Response:
    """Raises `NotFound`, and `Conflict` for one that is not fetched yet."""
    medium, key = _load_stored(media_id)
    return stream_medium(medium, key, current_caller().holder)


def stream_medium(medium: Media, key: str, holder: Hashable) -> Response:
    """`holder`: whose share of the downloads it takes. Raises `FileMissing`, and as these."""
    ours = current_services()
    give_back = ours.downloads.take(holder)
    try:
        size, file = ours.storage.size(key), ours.storage.open(key)
        response = _stream_file(medium, file, size)
    except BaseException:
        give_back()
        raise
    response.call_on_close(give_back)
    return response


@api.get("/media/<id>/thumbnail", responses={**_THUMBNAIL, **problem_responses(409, 422)})
def send_thumbnail(path: IdPath) -> Response:
    """A small picture of it: of a video, of its beginning"""
    ours = current_services()
    medium, key = _load_stored(path.id)
    with ours.downloads.place(current_caller().holder):
        content = thumbnails.load_thumbnail(ours.storage, key, medium.mime or "")
    return Response(content, content_type="image/jpeg")


def _load_stored(media_id: str) -> tuple[Media, str]:
    """The medium, and the key of its file."""
    with current_services().database.reading() as session:
        medium = load_medium(session, media_id)
    if medium.storage_key is None:
        raise Conflict("The file is not here: it is not fetched from its URL", code="not_fetched")
    return medium, medium.storage_key


def _stream_file(medium: Media, file: BinaryIO, size: int) -> Response:
    """Never shown by a browser, and never taken for anything but what it is."""
    kind = medium.mime if medium.mime in ACCEPTED_TYPES else _ANYTHING
    response = Response(FileWrapper(file, _PIECE), content_type=kind)
    response.call_on_close(file.close)
    response.headers["Content-Disposition"] = f"attachment; {_file_name(medium)}"
    response.content_length = size
    try:
        response.make_conditional(request.environ, accept_ranges=True, complete_length=size)
    except BaseException:
        response.close()
        raise
    return response


def _file_name(medium: Media) -> str:
    """With the ending of what it is, whatever its sender called it."""
    stem = PurePosixPath(medium.name or "").stem or f"medium-{medium.id}"
    name = stem + _ENDINGS.get(medium.mime or "", ".bin")
    plain = "".join(char if char.isascii() and char.isalnum() else "_" for char in stem)
    plain += _ENDINGS.get(medium.mime or "", ".bin")
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
