"""Every error of the front in one of the forms that Postiz has for it."""

from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException

from shared import errors
from shared.errors import FieldError, PressroomError, RequestError
from web.http_layer import problems
from web.http_layer.idempotency import KEY_REUSED, UNDER_WAY
from web.postiz_front import replies
from web.postiz_front.replies import Refused, json_response

TOO_LARGE = "request entity too large"
_THROTTLED = "ThrottlerException: Too Many Requests"
_ABOUT_KEYS = frozenset({KEY_REUSED, UNDER_WAY})


def install(front: Blueprint) -> None:
    front.register_error_handler(Refused, _answer_refusal)
    front.register_error_handler(PressroomError, _answer_known_error)
    front.register_error_handler(HTTPException, _answer_http_error)
    for error_class in problems.DATABASE_ERRORS:
        front.register_error_handler(error_class, _answer_database_error)
    front.register_error_handler(Exception, _answer_unexpected_error)


def _answer_refusal(refused: Refused) -> Response:
    return json_response(refused.body, refused.status)


def _answer_known_error(error: PressroomError) -> Response:
    """Status and `Retry-After` as in our own API, where Postiz has no other status for it."""
    usual = problems.answer_known_error(error)
    refused = _refusal_of(error, usual.status_code)
    response = _answer_refusal(refused)
    if "Retry-After" in usual.headers and refused.status in problems.RETRYABLE:
        response.headers["Retry-After"] = usual.headers["Retry-After"]
    return response


def _refusal_of(error: PressroomError, status: int) -> Refused:  # noqa: PLR0911 (a table)
    words = problems.describe_error(error)
    match error:
        case errors.InvalidRequest(code="profile_missing"):
            return replies.custom(401, "This key is not bound to one profile: make one that is")
        case errors.Unauthorized() | errors.Forbidden():
            return replies.custom(status, words)
        case errors.NotFound():
            return Refused(404, {"message": words, "error": "Not Found", "statusCode": 404})
        case RequestError() if error.code in _ABOUT_KEYS:
            return replies.plain(status, words)
        case errors.TooManyRequests():
            return replies.plain(429, _THROTTLED)
        case RequestError():
            return replies.bad_request([describe_fault(each) for each in error.fields] or words)
        case _:
            return replies.plain(status, words)


def describe_fault(fault: FieldError) -> str:
    """Where it is, what is wrong, and what to do about it."""
    remedy = f". {fault.remedy}" if fault.remedy else ""
    return f"{fault.field} {fault.message}{remedy}"


def _answer_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status == 413:
        return _answer_refusal(replies.plain(413, TOO_LARGE))
    return _answer_refusal(replies.plain(status, error.description or error.name))


def _answer_database_error(error: Exception) -> Response:
    return _answer_known_error(problems.note_database_error(error))


def _answer_unexpected_error(error: Exception) -> Response:
    problems.log.error("a request failed", exc_info=error)
    return _answer_refusal(replies.internal_error())
