"""A problem as the bytes of a whole HTTP/1.1 answer: for requests that no application gets."""

from http import HTTPStatus

from web.http_layer.problems import problem_response

_DETAILS = {
    400: "The request is not HTTP/1.1 as RFC 9112 defines it",
    414: "The address is too long",
    417: "Only Expect: 100-continue is supported",
    431: "The headers are too long",
    501: "This transfer coding is not supported",
}
_INTERNAL = "Something went wrong on our side. It has been logged."


def raw_problem(status: int) -> bytes:
    """The connection ends with it."""
    phrase = HTTPStatus(status).phrase
    code = "internal_error" if status == 500 else phrase.lower().replace(" ", "_")
    body = problem_response(status, code, _DETAILS.get(status, _INTERNAL)).get_data()
    head = (
        f"HTTP/1.1 {status} {phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/problem+json\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
