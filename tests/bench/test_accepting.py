"""How soon a bulk is accepted, over the wire and durably; printed, with `pytest -s`.

Ten thousand rows are to be answered within 3 s on two cores. What is asserted is that a row costs
no more among ten thousand than among one thousand: that holds on a slow machine too.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text

from shared.db import sqlalchemy_url
from tests.servers.stacks import RunningStack

FEW, MANY = 1_000, 10_000
ROUNDS = 3
CAPTION = "A caption as people write them, with a #tag or two and an @mention 🎬, number "
#: So far away that no worker begins with them while we measure.
QUERY = {"integration_ids": "int-mastodon", "schedule_date": "2031-01-01T00:00:00Z"}
LIMITS = {"slots": "09:00|12:00|18:30", "daily_cap_per_integration": "3"}


class Client:
    def __init__(self, stack: RunningStack) -> None:
        self.facts = stack.facts()
        self.url = f"{self.facts['web_url']}/api/v1"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {self.facts['admin_key']}"
        self.session.headers["X-Profile-Id"] = "acme"
        postiz = {"api_url": self.facts["sandbox_url"], "api_key": "sandbox-demo-key"}
        self.json("/profiles", {"id": "acme", "name": "A", "tts_settings": {"postiz": postiz}})

    def json(self, path: str, body: dict[str, Any]) -> requests.Response:
        return self.send(path, json.dumps(body).encode(), "application/json")

    def send(self, path: str, body: bytes, kind: str, **query: str) -> requests.Response:
        reply = self.session.post(
            self.url + path, data=body, params=query, headers={"Content-Type": kind}, timeout=60
        )
        assert reply.ok, reply.text
        return reply

    def seconds(self, path: str, body: bytes, kind: str, **query: str) -> float:
        began = time.perf_counter()
        self.send(path, body, kind, **query)
        return time.perf_counter() - began


@pytest.fixture(scope="module")
def client(stack: RunningStack) -> Client:
    return Client(stack)


def as_json(rows: int) -> tuple[bytes, str, dict[str, str]]:
    items = [{"caption": f"{CAPTION}{n}", "external_id": f"clip-{n}"} for n in range(rows)]
    body = {"items": items, **QUERY, "integration_ids": ["int-mastodon"]}
    return json.dumps(body).encode(), "application/json", {}


def as_csv(rows: int) -> tuple[bytes, str, dict[str, str]]:
    lines = [f'"{CAPTION}{n}",clip-{n}' for n in range(rows)]
    return "\n".join(["caption,external_id", *lines]).encode(), "text/csv", QUERY


def as_limited_csv(rows: int) -> tuple[bytes, str, dict[str, str]]:
    body, kind, query = as_csv(rows)
    return body, kind, {**query, **LIMITS}


def dry_csv(rows: int) -> tuple[bytes, str, dict[str, str]]:
    body, kind, query = as_csv(rows)
    return body, kind, {**query, "dry_run": "true"}


@pytest.mark.parametrize("form", [as_json, as_csv, as_limited_csv, dry_csv])
def test_a_row_costs_no_more_among_ten_thousand(
    client: Client,
    form: Callable[[int], tuple[bytes, str, dict[str, str]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = create_engine(sqlalchemy_url(client.facts["database_url"]))
    best = {}
    for rows in (FEW, MANY):
        taken = []
        for _ in range(ROUNDS):
            with engine.begin() as connection:  # each round begins with no other rows
                connection.execute(text("TRUNCATE posts, jobs, events CASCADE"))
            body, kind, query = form(rows)
            taken.append(client.seconds("/postiz/bulk-publish", body, kind, **query))
        best[rows] = min(taken)
    engine.dispose()
    with capsys.disabled():
        print(
            f"\n{form.__name__}: {MANY:,} rows in {best[MANY]:.2f} s, {FEW:,} in {best[FEW]:.2f} s "
            f"(best of {ROUNDS})"
        )
    assert best[MANY] / MANY <= 1.5 * best[FEW] / FEW
