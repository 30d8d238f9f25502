"""How many posts a second are accepted one by one, beside a view that only commits a row.

Both are served by gunicorn with two processes of twenty threads, on the same database.
"""

import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from tests.bench import goals
from tests.bench.record import Record
from tests.servers.bare_view import bare_view
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE

CLIENTS, EACH, ROUNDS = 4, 50, 3
FIRST_DUE = datetime(2031, 1, 1, tzinfo=UTC)
RATE, ANSWER = "accepted a second", "answer (ms, median)"
#: Of the bare view's rate: what also a machine with much other work reaches.
AT_LEAST = 0.02


def measure_rate(post: Callable[[requests.Session], requests.Response]) -> dict[str, float]:
    """With several clients at once."""
    took: list[float] = []

    def run() -> None:
        with requests.Session() as session:
            for _ in range(EACH):
                began = time.perf_counter()
                assert post(session).status_code == 202
                took.append(time.perf_counter() - began)

    clients = [threading.Thread(target=run) for _ in range(CLIENTS)]
    began = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    seconds = time.perf_counter() - began
    return {RATE: CLIENTS * EACH / seconds, ANSWER: 1000 * sorted(took)[len(took) // 2]}


def test_accepting_one_costs_little_more_than_a_row(stack: RunningStack, record: Record) -> None:
    facts: dict[str, Any] = stack.facts()
    headers = {"Authorization": f"Bearer {facts['admin_key']}", "X-Profile-Id": "acme"}
    api = f"{facts['web_url']}/api/v1"
    postiz = {"api_url": facts["sandbox_url"], "api_key": "sandbox-demo-key"}
    profile = {"id": "acme", "name": "A", "tts_settings": {"postiz": postiz}}
    requests.post(f"{api}/profiles", json=profile, headers=headers, timeout=PATIENCE)
    numbers = itertools.count()

    def body() -> dict[str, Any]:
        """Each at its own hour."""
        due = FIRST_DUE + timedelta(hours=next(numbers))
        caption = "A caption as people write them, with a #tag"
        return {
            "caption": caption,
            "integration_ids": ["int-mastodon"],
            "schedule_date": due.isoformat(),
        }

    def publish(session: requests.Session) -> requests.Response:
        url = f"{api}/postiz/publish"
        return session.post(url, json=body(), headers=headers, timeout=PATIENCE)

    with bare_view(facts["database_url"]) as bare:

        def commit(session: requests.Session) -> requests.Response:
            return session.post(bare, json=body(), timeout=PATIENCE)

        contestants = {"pressroom": publish, "bare view": commit}
        for number in range(1 + ROUNDS):
            for name, post in contestants.items():
                figures = measure_rate(post)
                if number > 0:  # the first round warms up
                    record.add_round(f"{CLIENTS} clients", name, figures)
    ratio = record.ratio(f"{CLIENTS} clients", RATE, "pressroom", "bare view")
    assert record.compare_with_goal(goals.ACCEPTING_ONE, ratio) > AT_LEAST
