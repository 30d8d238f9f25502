"""The state of the work as figures, read from the database when Prometheus asks.

At most once in `TTL` for each process, and for a bounded time, however many ask.
"""

import threading
import time
from collections.abc import Iterable

import redis
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared.enqueue import QUEUE_NAMES
from shared.log import get_logger
from web import open_work
from web.services import Services

#: Read anew at most so often, however many ask (seconds).
TTL = 10.0
#: A database that is busy with other things is not held up by figures.
READ_MS = 3000
log = get_logger("figures")


class State(Collector):
    """Of one web process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._kept: list[Metric] = []
        self._read_at = float("-inf")

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if time.monotonic() - self._read_at > TTL:
                self._kept = [*self._database(), *self._broker()]
                self._read_at = time.monotonic()
            return self._kept

    def _database(self) -> list[Metric]:
        found: list[Metric] = []
        try:
            with self._services.database.transaction() as session:
                session.execute(text(f"SET LOCAL statement_timeout = {READ_MS}"))
                found = list(open_work.read(session))
        except SQLAlchemyError as error:
            log.warning("figures cannot be read", reason=type(error).__name__)
        up = "Whether the figures of the database could be read"
        return [*found, open_work.number("database_up", up, float(bool(found)))]

    def _broker(self) -> list[Metric]:
        lengths: dict[str, float] = {}
        try:
            for queue in QUEUE_NAMES:
                lengths[queue] = float(str(self._services.broker.llen(queue)))
        except redis.RedisError as error:
            log.warning("the broker cannot be asked", reason=type(error).__name__)
        up = float(len(lengths) == len(QUEUE_NAMES))
        return [
            open_work.gauge("broker_messages", "Wake-ups that wait", "queue", lengths),
            open_work.number("broker_up", "Whether the broker answers", up),
        ]
