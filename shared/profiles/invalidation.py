"""Tells every process that a profile's settings changed: at once, and at most once.

A lost message does no harm, because the version is always checked (see publisher_cache.py). The
message only lets idle processes forget old settings sooner.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import redis

from shared import metrics
from shared.log import get_logger

CHANNEL = "pressroom.invalidate"
#: What the names of the lists begin with into which listeners write that they have applied it.
ANSWERS = "pressroom.applied."
#: The longest time that a response waits for such answers, and that a list is kept (seconds).
CONFIRM_SECONDS = 0.5
ANSWERS_KEPT_SECONDS = 10
#: The name of a listener's connection in `CLIENT LIST`.
LISTENER = "pressroom-invalidations"
#: The longest time that a broker which hangs may delay a response (seconds).
BROADCAST_SECONDS = 1.0
#: The longest pause between two attempts to connect (seconds).
LONGEST_PAUSE = 5.0
#: How often a listener that hears nothing looks whether it is to stop, or has lost its connection
#: (seconds).
LOOK_SECONDS = 2.5

log = get_logger("invalidation")


def connect_broker(redis_url: str) -> redis.Redis:
    """A client with a time limit of about a second for every operation."""
    return redis.Redis.from_url(
        redis_url,
        socket_timeout=BROADCAST_SECONDS,
        socket_connect_timeout=BROADCAST_SECONDS,
        retry=None,
    )


def broadcast_invalidation(client: redis.Redis, profile_id: str, version: int) -> bool:
    """Returns whether the message was sent; a failure does no harm, as the version is checked."""
    body = {"profile_id": profile_id, "version": version, "sent_at": time.time()}
    try:
        client.publish(CHANNEL, json.dumps(body))
    except redis.RedisError as error:
        log.warning("invalidation was not broadcast", profile=profile_id, reason=str(error))
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What became of a broadcast.

    `processes`: that were told, this one too. `confirmed`: of those, who has dropped what it had of
    the old settings. `seconds`: from the broadcast to the last of these answers.
    """

    processes: int
    confirmed: int
    seconds: float


def confirm_invalidation(client: redis.Redis, profile_id: str, version: int) -> Effect | None:
    """Broadcast it, and wait a moment until every process that hears it has applied it.

    None if it was not broadcast; that does no harm, as the version is checked before each call.
    """
    answers, began_at = f"{ANSWERS}{uuid.uuid4()}", time.monotonic()
    body = {"profile_id": profile_id, "version": version, "sent_at": time.time()}
    try:
        told = int(client.publish(CHANNEL, json.dumps({**body, "answer_to": answers})))
        confirmed, seconds = _count_answers(client, answers, told, began_at)
        client.delete(answers)
    except redis.RedisError as error:
        log.warning("invalidation was not confirmed", profile=profile_id, reason=str(error))
        return None
    return Effect(processes=told, confirmed=confirmed, seconds=seconds)


def _count_answers(
    client: redis.Redis, answers: str, told: int, began_at: float
) -> tuple[int, float]:
    """How many came in time, and when the last of them did, in seconds since `began_at`."""
    count, seconds = 0, 0.0
    while count < told:
        left = began_at + CONFIRM_SECONDS - time.monotonic()
        # the server rounds to milliseconds, and waits for ever for none
        if left < 0.002 or client.blpop([answers], timeout=left) is None:
            break
        count, seconds = count + 1, time.monotonic() - began_at
    return count, seconds


class Listener:
    """A daemon thread, started after the fork, that receives invalidations.

    `reset` is called with a profile's id for each message, and with None whenever messages may have
    been missed: at the first subscription, and at each one after a lost connection.
    """

    def __init__(self, redis_url: str, reset: Callable[[str | None], None]) -> None:
        self._redis_url = redis_url
        self._answering = connect_broker(redis_url)
        self._reset = reset
        self._stop = threading.Event()
        self._own_channel = f"pressroom.stop.{uuid.uuid4()}"
        self._thread = threading.Thread(
            target=self._listen_until_stopped, name="invalidations", daemon=True
        )
        self.listening = threading.Event()

    def start(self) -> "Listener":
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the thread: at once by a message of its own, or at its next look."""
        self._stop.set()
        with connect_broker(self._redis_url) as client, suppress(redis.RedisError):
            client.publish(self._own_channel, "")
        self._thread.join(timeout=5)
        self._answering.close()

    def _listen_until_stopped(self) -> None:
        """Continues after every error: without it old publishers would be kept for minutes."""
        pause = 0.1
        while not self._stop.is_set():
            began_at = time.monotonic()
            try:
                self._read_messages()
            except (redis.RedisError, OSError) as error:
                log.warning("invalidations cannot be heard", reason=str(error))
            except Exception:
                log.exception("invalidations cannot be heard")
                metrics.CONTAINED.labels("listener").inc()
            finally:
                self.listening.clear()
            if time.monotonic() - began_at > LONGEST_PAUSE:
                pause = 0.1  # it worked for a while
            self._stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _read_messages(self) -> None:
        """Read messages until stopped; raises if the connection fails."""
        client = redis.Redis.from_url(
            self._redis_url,
            client_name=LISTENER,
            socket_connect_timeout=2,
            socket_timeout=5,
            health_check_interval=5,
        )
        with client, client.pubsub() as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(CHANNEL, self._own_channel)
            while not self._stop.is_set():
                # also returns without a message, to notice a stop and to make a health check
                message = channel.get_message(timeout=LOOK_SECONDS)
                if message is not None and message["channel"] == CHANNEL.encode():
                    self._handle_message(message)

    def _handle_message(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "subscribe":  # the only sign of a silent reconnection
                self._reset(None)
                self.listening.set()
            case "message":
                self._apply_invalidation(message["data"])

    def _apply_invalidation(self, data: bytes) -> None:
        """Messages in another format are ignored; this does no harm, as the version is checked."""
        now = time.time()
        try:
            body = json.loads(data)
            answer_to = str(body.get("answer_to", ""))
            profile_id, sent_at = str(body["profile_id"]), float(body.get("sent_at", now))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("a message is no invalidation", reason=repr(error))
            return
        self._reset(profile_id)
        metrics.INVALIDATION.labels(CHANNEL).observe(max(0.0, now - sent_at))
        if answer_to.startswith(ANSWERS):
            self._confirm(answer_to)

    def _confirm(self, answers: str) -> None:
        """Nobody waits for long for an answer that cannot be given."""
        try:
            with self._answering.pipeline(transaction=False) as pipe:
                pipe.rpush(answers, "")
                pipe.expire(answers, ANSWERS_KEPT_SECONDS)
                pipe.execute()
        except redis.RedisError as error:
            log.warning("an invalidation was applied and not confirmed", reason=str(error))
