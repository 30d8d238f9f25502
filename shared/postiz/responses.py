"""What Postiz's replies mean: the five forms of its errors, and the budget in its headers."""

import re
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
from shared.postiz.reply_values import (
    MAX_NAME,
    MAX_WORDS,
    NotJson,
    checked_moment,
    parse_json,
    read_words,
)

#: The most of a message that is read before a secret in it is hidden (lines, characters of each).
_MAX_LINES = 50
_MAX_LINE = 2000
#: The most that a header is believed: seconds until we may call again, calls in a window.
_DAY = 86_400
_MAX_CALLS = 1_000_000
_DIGITS = re.compile(r"[0-9]{1,100}")
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
        case 404 | 301 | 302 | 307 | 308:
            return WrongBaseUrl(not_postiz(reply))
        case 408 | 425 | 499:  # from a proxy, which may have passed on the call before it gave up
            return OutcomeUnknown(f"{where}: Postiz answered {status} ({message})")
        case 400 if CUT_SHORT in message:
            return Transient(f"{where} did not arrive completely", code="cut_short")
        case _ if 400 <= status < 500:
            return PostRejected(
                message, index=_offending_index(message), channel_id=_missing_channel(message)
            )
        case _:
            return OutcomeUnknown(f"{where}: Postiz answered {status} ({message})")


def not_postiz(reply: requests.Response) -> str:
    url = reply.request.url
    if location := reply.headers.get("Location"):
        return f"{url} redirects to {location}: this is not the Postiz API"
    if "html" in reply.headers.get("Content-Type", ""):
        return f"{url} answers with a web page: this is not the Postiz API"
    return f"{url} answers {reply.status_code}: this is not the Postiz API"


def hide_secret(error: PublisherError, secret: str) -> PublisherError:
    """The error without `secret`, which the other side may have repeated; its words are cut."""
    words = error.message
    for form in (secret, quote(secret, safe="")):
        words = words.replace(form, "••••")
    error.message = read_words(words, most=MAX_WORDS)
    error.args = (error.message,)
    return error


def sent_at(reply: requests.Response) -> datetime | None:
    """The other side's clock, None if the reply has no readable date."""
    try:
        moment = parsedate_to_datetime(reply.headers.get("Date", ""))
        return checked_moment(moment.astimezone(UTC))
    except (ValueError, TypeError, ArithmeticError):
        return None


def _is_json(reply: requests.Response) -> bool:
    try:
        parse_json(reply)
    except NotJson:
        return False
    return True


def _is_missing_post(reply: requests.Response) -> bool:
    """Whether Postiz itself says so; for a missing route it says "Cannot PUT /…"."""
    if not _is_json(reply) or not isinstance(body := parse_json(reply), dict):
        return False
    is_from_postiz = "msg" in body or body.get("statusCode") == 404
    return is_from_postiz and not _error_message(reply).startswith("Cannot ")


def _error_message(reply: requests.Response) -> str:
    """Postiz's message, in whichever of its five forms."""
    try:
        body = parse_json(reply)
    except NotJson:
        return f"HTTP {reply.status_code}, not in Postiz's form: from a proxy in front of it?"
    if not isinstance(body, dict):
        return f"HTTP {reply.status_code}"
    words = body.get("message") or body.get("msg")
    lines = words[:_MAX_LINES] if isinstance(words, list) else [words]
    told = [read_words(line, most=_MAX_LINE) for line in lines if isinstance(line, str)]
    text = "; ".join(told) or f"HTTP {reply.status_code}"
    provider = body.get("provider")
    return f"{provider[:MAX_NAME]}: {text}" if isinstance(provider, str) else text


def _offending_index(message: str) -> int | None:
    found = set(re.findall(r"posts\.([0-9]{1,6})\.", message))
    return int(found.pop()) if len(found) == 1 else None


def _missing_channel(message: str) -> str | None:
    found = re.search(r"Integration with id (\S{1,200}) not found", message)
    return found[1] if found else None


def _retry_after(reply: requests.Response) -> float:
    return float(_count_in(reply, "Retry-After", _DAY) or 3600)


def budget_of(reply: requests.Response) -> Budget | None:
    """`X-RateLimit-Reset` is seconds left, not an epoch."""
    limit = _count_in(reply, "X-RateLimit-Limit", _MAX_CALLS)
    remaining = _count_in(reply, "X-RateLimit-Remaining", _MAX_CALLS)
    reset = _count_in(reply, "X-RateLimit-Reset", _DAY)
    if limit is None or remaining is None or reset is None:
        return None
    return Budget(
        limit=limit,
        remaining=remaining,
        resets_at=datetime.now(UTC) + timedelta(seconds=reset),
    )


def _count_in(reply: requests.Response, name: str, most: int) -> int | None:
    """The number in a header, at most `most`; None if there is no number in it."""
    value = reply.headers.get(name, "")
    if not _DIGITS.fullmatch(value):
        return None
    return min(most, int(value[:12]))
