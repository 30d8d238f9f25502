"""One attempt to send an event to a receiver: signed, with a time limit, to a checked address."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError, SSLError

from shared.containment import contain_failures
from shared.crypto import SecretBox
from shared.domain.webhook_retries import Answer
from shared.errors import SecretUnreadable
from shared.http_address import HttpAddress, MalformedAddress, parse_http_address
from shared.net.connect_tunnel import Unreachable
from shared.net.guarded_connections import CONNECT_SECONDS, Call, headers_for, pool_to, under_way
from shared.net.outbound_route import Route
from shared.webhooks import subscriptions

TOTAL_SECONDS = 10.0
_TIMEOUT = urllib3.Timeout(connect=CONNECT_SECONDS, read=TOTAL_SECONDS)


@dataclass(frozen=True, kw_only=True)
class ClaimedDelivery:
    """A claimed delivery with all data to send it; `attempt`: its number, from 1."""

    id: int
    claim: int
    webhook_id: int
    attempt: int
    message_id: str
    url: str
    sealed: Sequence[str] = field(repr=False)
    body: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class FinishedAttempt:
    """A finished attempt, and the seconds that it took."""

    claimed: ClaimedDelivery
    answer: Answer
    seconds: float


def body_of(event: str, timestamp: str | None, data: Mapping[str, object]) -> str:
    """The body, equal to the byte in all attempts."""
    payload = {"type": event, "timestamp": timestamp, "data": data}
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def attempt_delivery(claimed: ClaimedDelivery, box: SecretBox, route: Route) -> FinishedAttempt:
    """Raises nothing: errors of the receiver, its address or its secret become the answer."""
    started_at = time.monotonic()
    answer = Answer(error="internal_error: something went wrong on our side, and has been logged")
    with contain_failures("attempt_delivery", webhook=claimed.webhook_id, delivery=claimed.id):
        try:
            secrets = subscriptions.open_secrets(claimed.sealed, box)
            answer = _send_request(claimed, parse_http_address(claimed.url), secrets, route)
        except SecretUnreadable as error:
            answer = Answer(error=f"{error.code}: {error.message}. Rotate the webhook's secret")
        except MalformedAddress as error:
            answer = Answer(error=f"its address {error}")
    return FinishedAttempt(claimed=claimed, answer=answer, seconds=time.monotonic() - started_at)


def _send_request(
    claimed: ClaimedDelivery, address: HttpAddress, secrets: Sequence[str], route: Route
) -> Answer:
    """Opens a new connection each time, so that the address is resolved and checked each time."""
    signed = subscriptions.signature_headers(
        secrets, claimed.message_id, datetime.now(UTC), claimed.body
    )
    headers = {
        **headers_for(address),
        **signed,
        "Content-Type": "application/json",
        "Connection": "close",
    }
    with closing(pool_to(address, route)) as pool:
        call = Call(total=TOTAL_SECONDS, stall=TOTAL_SECONDS)
        try:
            with under_way(call):
                # only the status counts; the body is not read
                reply = pool.urlopen(
                    "POST",
                    address.target,
                    body=claimed.body.encode(),
                    headers=headers,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=_TIMEOUT,
                )
        except (HTTPError, OSError, Unreachable) as error:
            return Answer(error=_describe_error(error, call))
        reply.close()
        if call.expired:  # a cut-off reply looks like the end of the headers
            return Answer(error=_timeout_message())
        retry_after = parse_retry_after(reply.headers.get("Retry-After", ""), datetime.now(UTC))
        return Answer(status=reply.status, retry_after=retry_after)


def parse_retry_after(value: str, now: datetime) -> float | None:
    """The seconds of a `Retry-After` header: a number or a date; None if it is neither."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value).astimezone(UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return None


def _timeout_message() -> str:
    return f"no answer within {TOTAL_SECONDS:.0f} s"


def _describe_error(error: Exception, call: Call) -> str:
    if call.expired or isinstance(error, ReadTimeoutError):
        return _timeout_message()
    match error:
        case Unreachable():
            return str(error)
        case SSLError():
            return f"TLS failed: {error}"
        case _:
            return "the connection broke before an answer came"
