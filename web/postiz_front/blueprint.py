"""The front's blueprint: its two paths, who may call it, and the headers of its answers."""

from flask import Blueprint, Response, g, request

from shared.errors import Unauthorized
from web import auth
from web.postiz_front import errors, replies
from web.postiz_front.replies import CONTENT_TYPE
from web.rate_limits import Usage

#: Where Postiz has its API when it is started from source, and in its image.
PREFIXES = ("/public/v1", "/api/public/v1")
NAME = "postiz_front"
#: The view of every other path below the prefixes, which is open to all, as in Postiz.
OPEN = "answer_unknown_route"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})

front = Blueprint(NAME, __name__)
errors.install(front)


def is_for_front() -> bool:
    """Whether this request is for one of the front's routes, and so needs a key."""
    blueprint, _, view = (request.endpoint or "").rpartition(".")
    return blueprint.startswith(NAME) and view != OPEN


def authenticate_request() -> None:
    """By the key alone, bare or with `Bearer`: sessions are for our own pages. Raises `Refused`."""
    given = request.headers.get("Authorization", "").strip()
    scheme, _, rest = given.partition(" ")
    key = rest.strip() if scheme.lower() == "bearer" else given
    if not key:
        raise replies.custom(401, "No API Key found")
    try:
        auth.authenticate_key(key)
    except Unauthorized as error:
        kind = "OAuth token" if key.startswith("pos_") else "API key"
        raise replies.custom(401, f"Invalid {kind}") from error


@front.before_request
def _require_scope() -> None:
    if is_for_front():
        auth.require_scope("read" if request.method in _READS else "publish")


def count_call() -> None:
    """The answer to this request tells how many more there may be, as Postiz's does."""
    g.is_counted_call = True


@front.after_request
def _finish(response: Response) -> Response:
    if response.mimetype == "application/json":
        response.headers["Content-Type"] = CONTENT_TYPE
    used: list[Usage] = g.get("rate_usages", [])
    if g.get("is_counted_call") and used and response.status_code != 429:
        least = min(used, key=lambda usage: usage.remaining)
        response.headers["X-RateLimit-Limit"] = str(least.limit)
        response.headers["X-RateLimit-Remaining"] = str(max(0, least.remaining))
        response.headers["X-RateLimit-Reset"] = str(least.resets_in)
    return response
