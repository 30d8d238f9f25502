"""A multipart body, with each file streamed directly to the storage while it is hashed."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, cast

from flask import request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import MultiPartParser

from shared.errors import FieldError, InvalidRequest, RequestError
from shared.media.ingest import Received, Receiver
from shared.storage.base import Storage
from web.http_layer.request import is_clean
from web.paced_socket import PIECE

MIMETYPE = "multipart/form-data"
FILE_FIELD = "file"
MAX_FILES = 1000
#: Codes of what is wrong with a body's files.
NO_FILE, UNKNOWN_FILE, TOO_MANY_FILES = "no_file", "unknown_file", "too_many_files"
#: The parser applies this limit to its buffer too, so it must be larger than a piece.
_MAX_FIELD_BYTES = 4 * 1024**2
_NAME_LENGTH = 255


@dataclass
class Part:
    """One file of the body, written by the parser: received, or refused with a reason.

    With `strict` a refusal is raised at once; otherwise it is kept, and the rest of the file is
    skipped.
    """

    receiver: Receiver
    strict: bool
    error: RequestError | None = None
    received: Received | None = None

    def write(self, data: bytes) -> int:
        if self.error is None:
            with self._capture_refusal():
                self.receiver.write(data)
        return len(data)

    def seek(self, _position: int) -> None:
        """The parser calls this at the end of a part, to rewind the file."""
        if self.error is None:
            with self._capture_refusal():
                self.received = self.receiver.finish()

    @contextmanager
    def _capture_refusal(self) -> Iterator[None]:
        try:
            yield
        except RequestError as error:
            if self.strict:
                raise
            self.error = error
            self.receiver.incoming.discard()


@dataclass(frozen=True)
class Multipart:
    parts: list[Part]
    fields: dict[str, str]

    def content(self) -> str:
        """Identifies this body: the hashes of its files, and its fields."""
        hashes = [part.received.sha256 if part.received else "" for part in self.parts]
        return repr((hashes, sorted(self.fields.items())))


@contextmanager
def receive_body(
    storage: Storage, *, single: bool, fields: frozenset[str] | None
) -> Iterator[Multipart]:
    """The files and `fields` of this request; files that are not kept are deleted at the end.

    `fields`: None takes any, and they are left out.

    Raises `InvalidRequest` for a body that is malformed, incomplete or has other fields; for a
    `single` file its refusal; and `StorageFull`.
    """
    with ExitStack() as stack:
        parts: list[Part] = []

        def open_part(filename: str | None = None, **_: object) -> IO[bytes]:
            if len(parts) == (1 if single else MAX_FILES):
                most = "one file only" if single else f"at most {MAX_FILES} files"
                raise _invalid_field(FILE_FIELD, most, code=TOO_MANY_FILES)
            incoming = stack.enter_context(storage.receive())
            parts.append(Part(Receiver(incoming, base_name(filename)), strict=single))
            return cast(IO[bytes], parts[-1])  # the parser only writes and seeks

        form, files = _parse_body(open_part)
        _check_fields(form, files, fields)
        yield Multipart(parts, {} if fields is None else form.to_dict())


def _parse_body(open_part: Any) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    boundary = request.mimetype_params.get("boundary", "")
    request.max_content_length = None  # files have limits of their own
    parser = MultiPartParser(
        open_part,
        max_form_memory_size=_MAX_FIELD_BYTES,
        max_form_parts=MAX_FILES,
        buffer_size=PIECE,
    )
    try:
        return parser.parse(request.stream, boundary.encode("latin-1"), request.content_length)
    except (ValueError, OSError) as error:
        raise InvalidRequest(
            "The multipart body is malformed, or ended too early", code="broken_body"
        ) from error


def _check_fields(
    form: MultiDict[str, str], files: MultiDict[str, FileStorage], fields: frozenset[str] | None
) -> None:
    for name in files:
        if name != FILE_FIELD:
            raise _invalid_field(name, "unknown field", code=UNKNOWN_FILE)
    for name in form if fields is not None else ():
        if name not in (fields or ()):
            raise _invalid_field(name, "unknown field")
        if len(form.getlist(name)) > 1:
            raise _invalid_field(name, "given more than once")
        if not is_clean(form[name]):
            raise _invalid_field(name, "contains a NUL or half a character")
    if not files:
        raise _invalid_field(FILE_FIELD, "there is no file in this body", code=NO_FILE)


def _invalid_field(
    given: str | None, message: str, *, code: str = FieldError.code
) -> InvalidRequest:
    """`given`: its name; None where the part has none."""
    name = given if given and is_clean(given) else "?"
    return InvalidRequest(
        f"{name}: {message}", fields=[FieldError(field=name, message=message, code=code)]
    )


def base_name(filename: str | None) -> str | None:
    """The file's name for people, without the folders that some browsers send."""
    name = PurePosixPath((filename or "").replace("\\", "/")).name
    return "".join(letter for letter in name if letter.isprintable())[:_NAME_LENGTH] or None
