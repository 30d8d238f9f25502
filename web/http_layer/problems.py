"""Every error as `application/problem+json` (RFC 9457), without internal details."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import NoReturn

from flask import Flask, Response
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from shared import errors
from shared.errors import FieldError, PressroomError
from shared.log import get_logger

log = get_logger("web")

#: The status that the protocol of resumable uploads has for it.
CHECKSUM_MISMATCH = 460
#: The most specific class decides.
STATUS: dict[type[PressroomError], int] = {
    errors.InvalidRequest: 400,
    errors.NotConfigured: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.VersionRefused: 412,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.Unprocessable: 422,
    errors.ChecksumMismatch: CHECKSUM_MISMATCH,
    errors.UploadBusy: 423,
    errors.StorageFull: 507,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
    errors.ClaimLost: 409,
    errors.SecretUnreadable: 409,
    errors.SettingsUnusable: 409,
    errors.ProfileGone: 404,
    errors.CredentialsRejected: 400,
    errors.RateLimited: 429,
    errors.PublisherError: 503,
}
RETRYABLE = frozenset({423, 429, 503, 507})
#: Codes of conflicts and damage that the same request gets past.
_SAME_AGAIN = frozenset({"still_under_way", errors.ChecksumMismatch.code})
DATABASE_ERRORS = (OperationalError, InterfaceError, PoolTimeout)
DATABASE_AWAY = errors.Unavailable(
    "The database is away. Try again soon; with an Idempotency-Key nothing is done twice"
)


class Fault(BaseModel):
    """A field at fault, as a dotted path, and what is wrong with it."""

    field: str
    message: str
    code: str
    row: int | None = Field(None, description="Of a bulk, counted from 0")
    remedy: str | None = Field(None, description="What to do about it")


class Problem(BaseModel):
    """Why a request was not done."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str = Field(description="The kind of problem, for programs")
    retryable: bool = Field(description="Whether the same request may go through later")
    errors: list[Fault] | None = None


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    fields: Sequence[FieldError] = (),
    retryable: bool | None = None,
    retry_after: int | None = None,
) -> Response:
    body = Problem(
        title=status_phrase(status),
        status=status,
        detail=detail,
        code=code,
        retryable=status in RETRYABLE if retryable is None else retryable,
        errors=[Fault(**vars(field)) for field in fields] or None,
    )
    text = json.dumps(body.model_dump(exclude_none=True), ensure_ascii=False)
    response = Response(text, status, content_type="application/problem+json")
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def status_phrase(status: int) -> str:
    if status == CHECKSUM_MISMATCH:
        return "Checksum Mismatch"
    return HTTPStatus(status).phrase


def refuse_invalid(error: ValidationError) -> NoReturn:
    """flask-openapi3 calls it for a body, query or path that its model refuses."""
    fields = field_errors(error)
    names = ", ".join(dict.fromkeys(field.field for field in fields[:10]))
    raise errors.InvalidRequest(f"The request is malformed: {names}", fields=fields) from error


def field_errors(error: ValidationError) -> list[FieldError]:
    return [
        FieldError(
            field=".".join(str(part) for part in fault["loc"]) or "body",
            message=_fault_message(fault["type"], fault["msg"]),
            code="unknown_field" if fault["type"] == "extra_forbidden" else fault["type"],
        )
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _fault_message(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown field"
    return message.removeprefix("Value error, ")


def register_error_handlers(app: Flask) -> None:
    app.register_error_handler(PressroomError, answer_known_error)
    app.register_error_handler(HTTPException, _handle_http_error)
    for error_class in DATABASE_ERRORS:
        app.register_error_handler(error_class, _handle_database_error)
    app.register_error_handler(Exception, _handle_unexpected_error)


def answer_known_error(error: PressroomError) -> Response:
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    if status == 500:
        return _handle_unexpected_error(error)
    return problem_response(
        status,
        error.code,
        describe_error(error),
        fields=error.fields if isinstance(error, errors.RequestError) else (),
        retryable=True if error.code in _SAME_AGAIN else None,
        retry_after=_retry_after(error, status),
    )


def describe_error(error: PressroomError) -> str:
    """What went wrong, and what to do about it."""
    return f"{error.message}. {error.hint}" if error.hint else error.message


def _retry_after(error: PressroomError, status: int) -> int | None:
    if isinstance(error, errors.Unavailable):
        return error.retry_after
    if error.code == "still_under_way":
        return 1
    return 30 if status in RETRYABLE else None


def _handle_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    response = problem_response(status, code, error.description or HTTPStatus(status).phrase)
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _handle_database_error(error: Exception) -> Response:
    return answer_known_error(note_database_error(error))


def note_database_error(error: Exception) -> PressroomError:
    """Log it; what to answer."""
    log.warning("the database is away", reason=type(error).__name__)
    return DATABASE_AWAY


def _handle_unexpected_error(error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return problem_response(
        500, "internal_error", "Something went wrong on our side. It has been logged."
    )
