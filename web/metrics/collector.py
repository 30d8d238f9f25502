"""The state of the work as metrics, read from the database when Prometheus asks.

However many ask, a process reads at most once in `TTL` seconds, and for a small part of the time:
with a million open posts a read takes a second.
"""

import threading
import time
from collections.abc import Iterable

import redis
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared.log import get_logger
from shared.task_queue import QUEUE_NAMES
from web.metrics import database_metrics
from web.services import Services

#: The shortest time between two reads (seconds), and the largest part of the time for them.
TTL = 10.0
SHARE = 0.05
#: The longest query (milliseconds): metrics must not slow down a busy database.
READ_MS = 3000
log = get_logger("figures")


class State(Collector):
    """The metrics of one web process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._kept: list[Metric] = []
        self._fresh_until = float("-inf")

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            began_at = time.monotonic()
            if began_at > self._fresh_until:
                self._kept = [*self._read_database(), *self._read_broker()]
                now = time.monotonic()
                self._fresh_until = now + max(TTL, (now - began_at) / SHARE)
            return self._kept

    def _read_database(self) -> list[Metric]:
        found: list[Metric] = []
        try:
            with self._services.database.transaction() as session:
                session.execute(text(f"SET LOCAL statement_timeout = {READ_MS}"))
                found = list(database_metrics.read_metrics(session))
        except SQLAlchemyError as error:
            log.warning("metrics cannot be read", reason=type(error).__name__)
        up = "Whether the figures of the database could be read"
        return [*found, database_metrics.plain_gauge("database_up", up, float(bool(found)))]

    def _read_broker(self) -> list[Metric]:
        lengths: dict[str, float] = {}
        try:
            for queue in QUEUE_NAMES:
                lengths[queue] = float(str(self._services.broker.llen(queue)))
        except redis.RedisError as error:
            log.warning("the broker cannot be asked", reason=type(error).__name__)
        up = float(len(lengths) == len(QUEUE_NAMES))
        return [
            database_metrics.labelled_gauge(
                "broker_messages", "Wake-ups that wait", "queue", lengths
            ),
            database_metrics.plain_gauge("broker_up", "Whether the broker answers", up),
        ]
