"""What the API answers: JSON within bounds, or a problem in words."""

import json
from typing import Any

import requests

from cli.failures import CliFailure, LineBroken, SignInFailure

#: Of a reply; a page of a thousand posts with long timelines stays well below it.
MOST_BYTES = 128 * 1024**2
_PIECE = 64 * 1024
_LISTED = 20
_LATER = frozenset({423, 429, 502, 503, 504})
#: Codes of conflicts that the same request gets past.
_SAME_AGAIN = frozenset({"still_under_way"})


class ApiFailure(CliFailure):
    """The server refuses. `retry_after`: seconds, where the same request may go through later."""

    def __init__(
        self, message: str, *, status: int, code: str, retry_after: float | None, hint: str | None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.retry_after = retry_after


def read_json(reply: requests.Response) -> Any:
    """Raises `LineBroken` for half a reply, and `CliFailure` for what Pressroom does not say."""
    content = _read_bounded(reply)
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        raise CliFailure(
            f"{reply.url} does not answer as Pressroom does",
            hint="look at the address: pressroom login --url, or PRESSROOM_URL",
        ) from error


def require_success(reply: requests.Response) -> None:
    """Raises `SignInFailure` or `ApiFailure`."""
    if reply.is_redirect or reply.is_permanent_redirect:
        target = reply.headers.get("Location", "another address")
        raise CliFailure(f"The server sends us on to {target}", hint="use that address")
    if reply.status_code < 400:
        return
    problem = _read_problem(reply)
    detail = str(problem.get("detail") or f"The server answered {reply.status_code}")
    if reply.status_code == 401:
        raise SignInFailure(detail, hint="pressroom login, or set PRESSROOM_API_KEY")
    code = str(problem.get("code") or "")
    raise ApiFailure(
        "\n".join([detail, *_faults(problem)]),
        status=reply.status_code,
        code=code,
        retry_after=_retry_after(reply, code),
        hint=_hint(reply.status_code, code),
    )


def _read_problem(reply: requests.Response) -> dict[str, Any]:
    try:
        problem = json.loads(_read_bounded(reply) or b"{}")
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _read_bounded(reply: requests.Response) -> bytes:
    content = bytearray()
    try:
        for piece in reply.iter_content(_PIECE):
            content += piece
            if len(content) > MOST_BYTES:
                raise CliFailure(f"The answer of {reply.url} is too long")
    except requests.RequestException as error:
        raise LineBroken("The line broke in the middle of an answer") from error
    return bytes(content)


def _faults(problem: dict[str, Any]) -> list[str]:
    faults = problem.get("errors") or []
    detail = str(problem.get("detail"))
    lines = [
        f"  {fault.get('field')}: {fault.get('message')}"
        + (f". {fault['remedy']}" if fault.get("remedy") else "")
        for fault in faults[:_LISTED]
        if str(fault.get("message")) not in detail
    ]
    return [*lines, f"  … and {len(faults) - _LISTED} more"] if len(faults) > _LISTED else lines


def _retry_after(reply: requests.Response, code: str) -> float | None:
    if reply.status_code not in _LATER and code not in _SAME_AGAIN:
        return None
    try:
        return min(60.0, max(0.1, float(reply.headers.get("Retry-After", "1"))))
    except ValueError:
        return 1.0


def _hint(status: int, code: str) -> str | None:
    if code == "profile_missing":
        return "say which with --profile ID (pressroom profiles lists them)"
    return "this needs a key that may do it: ask an admin" if status == 403 else None
