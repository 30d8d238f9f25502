"""How many posts a second are accepted one by one, beside a view that only commits a row.

Both are served by gunicorn with two processes of twenty threads, on the same database. Printed,
with `pytest -s`; the ratio is asserted, since it holds on a slow machine too.
"""

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import pytest
import requests

from local.child import ROOT
from local.ports import free_port
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE, wait_until

CLIENTS, EACH, ROUNDS = 4, 25, 3
FIRST_DUE = datetime(2031, 1, 1, tzinfo=UTC)
#: Of the bare view's rate.
AT_LEAST = 0.15


@contextmanager
def bare_view(database_url: str) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--threads", "20", "tests.servers.bare_view:create_app()"]
    environ = {**os.environ, "DATABASE_URL": database_url}
    server = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_until(lambda: _answers(url))
        yield url
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _answers(url: str) -> bool:
    try:
        return requests.post(url, data=b"{}", timeout=PATIENCE).status_code == 202
    except requests.ConnectionError:
        return False


def rate(post: Callable[[requests.Session], requests.Response]) -> float:
    """Answers a second, with several clients at once."""

    def run() -> None:
        with requests.Session() as session:
            for _ in range(EACH):
                assert post(session).status_code == 202

    clients = [threading.Thread(target=run) for _ in range(CLIENTS)]
    began = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return CLIENTS * EACH / (time.perf_counter() - began)


def test_accepting_one_costs_little_more_than_a_row(
    stack: RunningStack, capsys: pytest.CaptureFixture[str]
) -> None:
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

        pairs = [(rate(publish), rate(commit)) for _ in range(1 + ROUNDS)][1:]
    ours, least = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    with capsys.disabled():
        print(f"\naccepted one by one: {ours:.0f}/s; a bare view: {least:.0f}/s; ratio {ratio:.2f}")
    assert ratio > AT_LEAST
