"""Asks a process of the stack whether it does its work."""

from collections.abc import Callable
from socket import gethostname

import requests
from celery import Celery

_ANSWER_SECONDS = 3.0


def http_ok(url: str) -> Callable[[], bool]:
    return lambda: _status(url) == 200


def http_answers(url: str) -> Callable[[], bool]:
    """For a server that has no address of its own to ask for its health."""
    return lambda: _status(url) is not None


def _status(url: str) -> int | None:
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the user has no way to our loopback address
        try:
            return session.get(url, timeout=_ANSWER_SECONDS).status_code
        except requests.RequestException:
            return None


def celery_answers(redis_url: str, node: str) -> Callable[[], bool]:
    """`node` is the part of a node's name before the `@`."""
    destination = f"{node}@{gethostname()}"

    def healthy() -> bool:
        with Celery(broker=redis_url) as app:
            return bool(app.control.ping(destination=[destination], timeout=1.0))

    return healthy
