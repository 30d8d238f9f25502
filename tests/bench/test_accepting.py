"""How soon a bulk is accepted, over the wire and durably, beside a view that only inserts its rows.

Besides, a row costs no more among ten thousand than among one thousand.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, create_engine, text

from shared.db import sqlalchemy_url
from tests.bench import goals
from tests.bench.record import Record
from tests.servers.bare_view import bare_view
from tests.servers.stacks import RunningStack

FEW, MANY = 1_000, 10_000
ROUNDS = 3
OURS, THEIRS, RATE = "pressroom", "plain insert", "rows a second"
#: Of the plain insert's rate: what also a machine with much other work reaches.
AT_LEAST = 0.05
CAPTION = "A caption as people write them, with a #tag or two and an @mention 🎬, number "
#: So far away that no worker begins with them while we measure.
QUERY = {"integration_ids": "int-mastodon", "schedule_date": "2031-01-01T00:00:00Z"}
LIMITS = {"slots": "09:00|12:00|18:30", "daily_cap_per_integration": "3"}
Form = Callable[[int], tuple[bytes, str, dict[str, str]]]


class Client:
    def __init__(self, stack: RunningStack) -> None:
        self.facts = stack.facts()
        self.url = f"{self.facts['web_url']}/api/v1"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {self.facts['admin_key']}"
        self.session.headers["X-Profile-Id"] = "bulks"
        postiz = {"api_url": self.facts["sandbox_url"], "api_key": "sandbox-demo-key"}
        self.json("/profiles", {"id": "bulks", "name": "B", "tts_settings": {"postiz": postiz}})

    def json(self, path: str, body: dict[str, Any]) -> requests.Response:
        return self.send(path, json.dumps(body).encode(), "application/json")

    def send(self, path: str, body: bytes, kind: str, **query: str) -> requests.Response:
        reply = self.session.post(
            self.url + path, data=body, params=query, headers={"Content-Type": kind}, timeout=600
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


FORMS = (as_json, as_csv, as_limited_csv, dry_csv)


def test_a_row_costs_no_more_among_ten_thousand(client: Client, record: Record) -> None:
    with closing_engine(client) as engine, bare_view(client.facts["database_url"]) as bare:
        for _ in range(ROUNDS):
            for form, rows in itertools.product(FORMS, (FEW, MANY)):
                with engine.begin() as connection:  # each run begins with no other rows
                    connection.execute(text("TRUNCATE posts, jobs, events, bare CASCADE"))
                body, kind, query = form(rows)
                seconds = client.seconds("/postiz/bulk-publish", body, kind, **query)
                record.add_round(case(form, rows), OURS, figures_of(rows, seconds))
                if form is as_json:
                    seconds = seconds_of_plain_insert(bare, body)
                    record.add_round(case(form, rows), THEIRS, figures_of(rows, seconds))
    ratio = record.ratio(case(as_json, MANY), RATE, OURS, THEIRS)
    assert record.compare_with_goal(goals.BULK, ratio) > AT_LEAST
    for form in FORMS:
        many, few = (max(record.rounds_of(case(form, rows), RATE, OURS)) for rows in (MANY, FEW))
        assert many >= few / 1.5, form.__name__


@contextmanager
def closing_engine(client: Client) -> Iterator[Engine]:
    engine = create_engine(sqlalchemy_url(client.facts["database_url"]))
    yield engine
    engine.dispose()


def seconds_of_plain_insert(bare: str, body: bytes) -> float:
    headers = {"Content-Type": "application/json"}
    began = time.perf_counter()
    assert requests.post(f"{bare}bulk", data=body, headers=headers, timeout=60).ok
    return time.perf_counter() - began


def case(form: Form, rows: int) -> str:
    return f"{form.__name__}, {rows:,} rows"


def figures_of(rows: int, seconds: float) -> dict[str, float]:
    return {RATE: rows / seconds, "seconds": seconds}
