"""What a tool made of the API's answer: a result with a short text, or a refusal in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from shared.errors import FieldError
from web.mcp.own_api import Answered, Asked, ask


@dataclass(frozen=True, kw_only=True)
class Done:
    result: BaseModel
    text: str


class Refused(Exception):
    """The API refused it, or a plan is at fault."""

    def __init__(self, message: str, code: str, fields: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.fields = fields


def fetch(
    method: str,
    path: str,
    *,
    query: dict[str, Any] | None = None,
    body: dict[str, Any] | None = None,
    profile_id: str | None = None,
) -> Any:
    """The JSON of a success. Raises `Refused`."""
    asked = Asked(method=method, path=path, query=query or {}, body=body, profile_id=profile_id)
    return require_success(ask(asked))


def find(path: str) -> dict[str, Any] | None:
    """The same of a thing; None if it is not there."""
    answered = ask(Asked(method="GET", path=path))
    if answered.status == 404:
        return None
    found: dict[str, Any] = require_success(answered)
    return found


def require_success(answered: Answered) -> Any:
    if not answered.is_refusal:
        return answered.body
    problem = answered.body
    fields = [
        FieldError(
            field=fault["field"],
            message=fault["message"],
            code=fault["code"],
            remedy=fault.get("remedy"),
        )
        for fault in problem.get("errors") or ()
    ]
    again = ". The same call may succeed in a moment" if problem["retryable"] else ""
    raise Refused(f"{problem['detail']}{again}", problem["code"], fields)


def without(sent: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The arguments of a tool that are those of the API."""
    return {name: value for name, value in sent.items() if name not in names}


def count_words(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
