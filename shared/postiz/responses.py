"""What Postiz's replies mean: the five forms of its errors, and the budget in its headers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import requests

from shared.errors import (
    Budget,
    CredentialsRejected,
    OutcomeUnknown,
    PostRejected,
    PublisherError,
    RateLimited,
    Transient,
    WrongBaseUrl,
)

#: Postiz's message if the end of an upload was lost on the way. It says nothing about the file.
CUT_SHORT = "Unexpected end of form"


def error_of(reply: requests.Response, where: str) -> PublisherError:  # noqa: PLR0911 (a table)
    """The error for a refused call; its class decides what happens to what was sent."""
    status, message = reply.status_code, _error_message(reply)
    match status:
        case 401 if not reply.content:
            return Transient("Postiz's database is away (an empty 401)")
        case 401 | 403 if not _is_json(reply):  # from a proxy, or another server
            return WrongBaseUrl(not_postiz(reply))
        case 401 | 403:
            return CredentialsRejected(f"Postiz refused the API key: {message}")
        case 402:
            return CredentialsRejected(
                f"Postiz refused: the plan's limit is reached ({message})", code="plan_limit"
            )
        case 429:
            until = datetime.now(UTC) + timedelta(seconds=_retry_after(reply))
            return RateLimited("Postiz's hourly limit on creating posts is reached", until=until)
        case 404 if _is_missing_post(reply):
            return PostRejected(message)
        case 404 | 301 | 302 | 303 | 307 | 308:
            return WrongBaseUrl(not_postiz(reply))
        case 408 | 425 | 499:  # from a proxy, which may have passed on the call before it gave up
            return OutcomeUnknown(f"{where}: Postiz answered {status} ({message})")
        case 400 if CUT_SHORT in message:
            return Transient(f"{where} did not arrive completely", code="cut_short")
        case _ if status < 500:
            return PostRejected(message, index=_offending_index(message))
        case _:
            return OutcomeUnknown(f"{where}: Postiz answered {status} ({message})")


def not_postiz(reply: requests.Response) -> str:
    url = reply.request.url
    if location := reply.headers.get("Location"):
        return f"{url} redirects to {location}: this is not the Postiz API"
    if "html" in reply.headers.get("Content-Type", ""):
        return f"{url} answers with a web page: this is not the Postiz API"
    return f"{url} answers {reply.status_code}: this is not the Postiz API"


@contextmanager
def expect_shape(otherwise: type[PublisherError]) -> Iterator[None]:
    """Around the reading of a reply; raises `otherwise` if the reply has an unexpected shape."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise otherwise("Postiz answered JSON of an unexpected shape") from error


def hide_secret(error: PublisherError, secret: str) -> PublisherError:
    """The error without `secret`, which the other side may have repeated."""
    for form in (secret, quote(secret, safe="")):
        error.message = error.message.replace(form, "••••")
    error.args = (error.message,)
    return error


def sent_at(reply: requests.Response) -> datetime | None:
    """The other side's clock, None if the reply has no readable date."""
    try:
        return parsedate_to_datetime(reply.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return None


def _is_json(reply: requests.Response) -> bool:
    try:
        reply.json()
    except requests.JSONDecodeError:
        return False
    return True


def _is_missing_post(reply: requests.Response) -> bool:
    """Whether Postiz itself says so; for a missing route it says "Cannot PUT /…"."""
    if not _is_json(reply) or not isinstance(body := reply.json(), dict):
        return False
    is_from_postiz = "msg" in body or body.get("statusCode") == 404
    return is_from_postiz and not _error_message(reply).startswith("Cannot ")


def _error_message(reply: requests.Response) -> str:
    """Postiz's message, in whichever of its five forms."""
    try:
        body = reply.json()
    except requests.JSONDecodeError:
        return f"HTTP {reply.status_code}, not in Postiz's form: from a proxy in front of it?"
    if not isinstance(body, dict):
        return f"HTTP {reply.status_code}"
    words = body.get("message") or body.get("msg") or f"HTTP {reply.status_code}"
    text = "; ".join(map(str, words)) if isinstance(words, list) else str(words)
    return f"{body['provider']}: {text}" if "provider" in body else text


def _offending_index(message: str) -> int | None:
    found = set(re.findall(r"posts\.(\d+)\.", message))
    return int(found.pop()) if len(found) == 1 else None


def _retry_after(reply: requests.Response) -> float:
    value = reply.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 3600.0


def budget_of(reply: requests.Response) -> Budget | None:
    """`X-RateLimit-Reset` is seconds left, not an epoch."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    values = [reply.headers.get(name, "") for name in names]
    if not all(value.isdigit() for value in values):
        return None
    limit, remaining, reset = map(int, values)
    return Budget(
        limit=limit,
        remaining=remaining,
        resets_at=datetime.now(UTC) + timedelta(seconds=reset),
    )
