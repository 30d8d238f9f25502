"""How often an address may guess and a key may ask: counted in Valkey, for all processes together.

While Valkey is away each process counts for itself, and nothing fails.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TypeVar

from flask import Flask, Response, g
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from shared import quotas
from shared.access import api_keys
from shared.config import Settings
from shared.errors import QuotaExceeded, TooManyRequests
from shared.log import get_logger
from shared.quotas import Quota

T = TypeVar("T")

#: The longest time that a Valkey which hangs may delay a request, and how long it is then left
#: alone (seconds).
STORE_SECONDS = 0.5
AWAY_SECONDS = 5.0
#: The names of the policies, as replies show them.
REQUESTS, PROFILE, FAILURES, PASSWORDS = "requests", "profile", "failures", "passwords"
_PREFIX = "pressroom.limits"
#: How many pairs of an address and a key a process remembers as good, and for how long (seconds);
#: then it notes in Valkey again that they are.
_REMEMBERED = 10_000
_REMEMBERED_SECONDS = 600.0
_KNOWN = RateLimitItemPerDay(1, namespace="known")

log = get_logger("limits")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """How much of a policy is used. `resets_in`: seconds until all of it is free again."""

    policy: str
    limit: int
    remaining: int
    resets_in: int
    window: int

    def require_room(self, message: str, *, code: str | None = None) -> None:
        """Raises `TooManyRequests`."""
        if self.remaining < 0:
            raise TooManyRequests(message, code=code, retry_after=max(1, self.resets_in))


class Counters:
    """Thread-safe. Counts events by an item's limit and by what they are about."""

    def __init__(self, redis_url: str) -> None:
        shared = RedisStorage(
            redis_url,
            key_prefix=_PREFIX,
            wrap_exceptions=True,
            socket_timeout=STORE_SECONDS,
            socket_connect_timeout=STORE_SECONDS,
            retry=None,  # type: ignore[arg-type]
        )
        self._shared = SlidingWindowCounterRateLimiter(shared)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._away_until = 0.0

    def hit(self, item: RateLimitItem, about: str) -> bool:
        """Count one, if there is room; returns whether there was."""
        return self._ask(lambda counted: counted.hit(item, about))

    def has_room(self, item: RateLimitItem, about: str) -> bool:
        return self._ask(lambda counted: counted.test(item, about))

    def usage(self, item: RateLimitItem, about: str, *, fits: bool) -> Usage:
        """`remaining` is negative for what did not fit."""
        stats = self._ask(lambda counted: counted.get_window_stats(item, about))
        return Usage(
            policy=item.namespace,
            limit=item.amount,
            remaining=stats.remaining if fits else -1,
            resets_in=max(0, math.ceil(stats.reset_time - time.time())),
            window=item.get_expiry(),
        )

    def _ask(self, question: Callable[[SlidingWindowCounterRateLimiter], T]) -> T:
        if time.monotonic() >= self._away_until:
            try:
                return question(self._shared)
            except StorageError as error:
                self._away_until = time.monotonic() + AWAY_SECONDS
                reason = type(error.storage_error).__name__
                log.warning("limits are counted in this process alone", reason=reason)
        return question(self._own)


class RateLimits:
    """The limits of a process. What is over one raises `TooManyRequests`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._counters = Counters(settings.redis_url.get_secret_value())
        self._failures = RateLimitItemPerMinute(settings.failed_keys_per_minute, namespace=FAILURES)
        self._passwords = RateLimitItemPerMinute(
            settings.failed_keys_per_minute, namespace=PASSWORDS
        )
        self._requests = RateLimitItemPerMinute(settings.requests_per_minute, namespace=REQUESTS)
        self._good_until: dict[tuple[str, str], float] = {}

    def refuse_guesses(self, address: str, key: str) -> None:
        """After too many wrong keys, an address is heard only with keys that were right before.

        So a guess that is right is refused as the wrong ones are, and whoever shares the address
        with a guesser can go on.
        """
        source, pair = _group_address(address), _pair(address, key)
        if self._is_good(pair) or self._counters.has_room(self._failures, source):
            return
        if self._counters.has_room(_KNOWN, ":".join(pair)):
            used = self._counters.usage(self._failures, source, fits=False)
            show_usage(used)
            used.require_room(
                "Too many wrong keys or passwords came from your address: try again later"
            )

    def note_failure(self, address: str, key: str) -> None:
        """The key was wrong."""
        self._good_until.pop(_pair(address, key), None)
        self._counters.hit(self._failures, _group_address(address))

    def note_success(self, address: str, key: str) -> None:
        """The key was right; cheap for one that is known."""
        pair = _pair(address, key)
        if not self._is_good(pair):
            if len(self._good_until) >= _REMEMBERED:
                self._good_until.clear()
            self._good_until[pair] = time.monotonic() + _REMEMBERED_SECONDS
            self._counters.hit(_KNOWN, ":".join(pair))

    def _is_good(self, pair: tuple[str, str]) -> bool:
        return self._good_until.get(pair, 0.0) > time.monotonic()

    def refuse_passwords(self, address: str) -> None:
        """After as many right ones as it may have wrong ones: each costs as much to look at.

        Wrong ones do not count here, so a guesser keeps out nobody who shares the address.
        """
        source = _group_address(address)
        if not self._counters.has_room(self._passwords, source):
            used = self._counters.usage(self._passwords, source, fits=False)
            show_usage(used)
            used.require_room("Too many passwords came from your address: try again later")

    def note_password(self, address: str) -> None:
        """It was right, or set."""
        self._counters.hit(self._passwords, _group_address(address))

    def count_request(self, caller: str) -> None:
        """A request of this key or person."""
        about = caller.replace(" ", ":")
        fits = self._counters.hit(self._requests, about)
        used = self._counters.usage(self._requests, about, fits=fits)
        show_usage(used)
        used.require_room(f"You may make {used.limit} requests a minute")

    def count_profile_request(self, profile_id: str, own: Mapping[str, int]) -> None:
        """A request for this profile, by whatever key. `own`: its own quotas."""
        item = self._profile_item(own)
        fits = self._counters.hit(item, profile_id)
        used = self._counters.usage(item, profile_id, fits=fits)
        show_usage(used)
        message = f"The profile may be asked for in {used.limit} requests a minute"
        used.require_room(message, code=QuotaExceeded.code)

    def profile_usage(self, profile_id: str, own: Mapping[str, int]) -> Usage:
        return self._counters.usage(self._profile_item(own), profile_id, fits=True)

    def _profile_item(self, own: Mapping[str, int]) -> RateLimitItem:
        limit = quotas.limit_of(Quota.REQUESTS_PER_MINUTE, own, self._settings)
        return RateLimitItemPerMinute(limit, namespace=PROFILE)


def _pair(address: str, key: str) -> tuple[str, str]:
    return _group_address(address), api_keys.hash_key(key)


def _group_address(address: str) -> str:
    """The network of 64 bits that an IPv6 host can take any address of; else the address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


def show_usage(used: Usage) -> None:
    """Let the answer to this request tell how much of the policy is used."""
    g.setdefault("rate_usages", []).append(used)


def install(app: Flask) -> None:
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    """In the form of draft-ietf-httpapi-ratelimit-headers-10."""
    used: list[Usage] = g.get("rate_usages", [])
    if used:
        response.headers["RateLimit-Policy"] = ", ".join(
            f'"{each.policy}";q={each.limit};w={each.window}' for each in used
        )
        response.headers["RateLimit"] = ", ".join(
            f'"{each.policy}";r={max(0, each.remaining)};t={each.resets_in}' for each in used
        )
    return response
