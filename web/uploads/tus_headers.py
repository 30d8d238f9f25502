"""The headers of tus 1.0.0: what requests say, and what answers tell."""

import hashlib
import hmac
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from werkzeug.http import http_date

from shared.domain.networks.limits import VIDEO_BYTES
from shared.errors import (
    ChecksumMismatch,
    FieldError,
    InvalidRequest,
    UnsupportedMedia,
    VersionRefused,
)
from shared.models import IncomingUpload
from shared.uploads.incoming_uploads import told_offset
from web.http_layer.request import is_clean

VERSION = "1.0.0"
CONTENT_TYPE = "application/offset+octet-stream"
MEDIA_ID, JOB_ID = "Pressroom-Media-Id", "Pressroom-Job-Id"
_ALGORITHMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
_ALWAYS = {"Tus-Resumable": VERSION}
_OFFERED = {
    "Tus-Version": VERSION,
    "Tus-Extension": "creation,creation-with-upload,expiration,checksum,termination",
    "Tus-Max-Size": str(VIDEO_BYTES),
    "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
}


def require_version(version: str | None) -> None:
    if version != VERSION:
        raise VersionRefused(f"Send Tus-Resumable: {VERSION}, the version that is spoken here")


def require_content_type() -> None:
    if request.mimetype != CONTENT_TYPE:
        raise UnsupportedMedia(f"The bytes of an upload are {CONTENT_TYPE}", code="content_type")


def add_common_headers(response: Response) -> Response:
    """To every answer of these addresses, refusals too."""
    response.headers.update(_ALWAYS)
    if request.method == "OPTIONS" or response.status_code == 412:
        response.headers.update(_OFFERED)
    return response


def upload_headers(row: IncomingUpload) -> dict[str, str]:
    finished = row.finished_at is not None
    headers = {
        "Upload-Offset": str(told_offset(row.received, row.size, is_finished=finished)),
        "Upload-Expires": http_date(row.expires_at),
    }
    if row.media_id is not None:
        headers |= {MEDIA_ID: str(row.media_id), JOB_ID: str(row.job_id)}
    return headers


def head_headers(row: IncomingUpload) -> dict[str, str]:
    headers = {**upload_headers(row), "Upload-Length": str(row.size)}
    if row.tus_metadata:
        headers["Upload-Metadata"] = row.tus_metadata
    return headers


def parse_metadata(header: str | None) -> dict[str, str]:
    """The values that are text; others are the client's own. Raises `InvalidRequest`."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for pair in (header or "").split(","):
        name, _, value = pair.strip().partition(" ")
        if not name and not header:
            continue
        if not name or name in seen or not (name.isascii() and name.isprintable()):
            raise _invalid_header("Upload-Metadata", "each key has a name of its own, in ASCII")
        seen.add(name)
        try:
            text = b64decode(value.strip(), validate=True).decode()
        except UnicodeDecodeError:
            continue
        except ValueError as error:
            raise _invalid_header("Upload-Metadata", f"{name!r} is not Base64") from error
        if not is_clean(text):
            raise _invalid_header("Upload-Metadata", f"{name!r} contains a NUL")
        found[name] = text
    return found


@dataclass
class Checksum:
    """What the bytes of a request are to amount to."""

    expected: bytes
    digest: Any

    def update(self, data: bytes) -> None:
        self.digest.update(data)

    def verify(self) -> None:
        if not hmac.compare_digest(self.digest.digest(), self.expected):
            raise ChecksumMismatch("What came has another checksum: send it again")


def parse_checksum(header: str | None) -> Checksum | None:
    """Raises `InvalidRequest`, also for an algorithm that is not offered."""
    if header is None:
        return None
    name, _, value = header.strip().partition(" ")
    if name not in _ALGORITHMS:
        offered = _OFFERED["Tus-Checksum-Algorithm"]
        raise _invalid_header("Upload-Checksum", f"the algorithms are {offered}")
    try:
        expected = b64decode(value.strip(), validate=True)
    except ValueError as error:
        raise _invalid_header("Upload-Checksum", "is not Base64") from error
    return Checksum(expected, _ALGORITHMS[name]())


def _invalid_header(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {message}", fields=[FieldError(field=name, message=message)])
