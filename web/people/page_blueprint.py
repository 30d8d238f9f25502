"""What all pages have: short forms only, and problems in words for people."""

from flask import Blueprint, Response, request

from shared.errors import InvalidRequest, PressroomError
from web.http_layer import problems
from web.http_layer.request import is_clean
from web.people.page_session import SIGN_IN
from web.people.rendering import Link, show_page

#: Of a form, which anybody may send.
MOST_BYTES = 16_384


def create_page_blueprint(name: str) -> Blueprint:
    pages = Blueprint(name, __name__)
    pages.before_request(_bound_form)
    pages.before_request(_refuse_unclean)
    pages.register_error_handler(PressroomError, _show_problem)
    for error_class in problems.DATABASE_ERRORS:
        pages.register_error_handler(error_class, _show_outage)
    return pages


def _bound_form() -> None:
    """Nobody is known yet, so no body may be long; one of unknown length counts as long."""
    request.max_content_length = 0 if "Transfer-Encoding" in request.headers else MOST_BYTES


def _refuse_unclean() -> None:
    """No page compares with its rows what no row can hold."""
    if not all(is_clean(value) for _, value in request.args.items(multi=True)):
        raise InvalidRequest("The address of this page holds what no text can hold: open it anew")


def _show_outage(error: Exception) -> Response:
    return _show_problem(problems.note_database_error(error))


def _show_problem(error: PressroomError) -> Response:
    """In place of the answer that programs get."""
    answer = problems.answer_known_error(error)
    page = show_page(
        "This did not work",
        problem=problems.describe_error(error),
        links=(Link(SIGN_IN, "Sign in"),),
        status=answer.status_code,
    )
    if wait := answer.headers.get("Retry-After"):
        page.headers["Retry-After"] = wait
    return page
