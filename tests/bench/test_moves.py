"""How soon many posts are moved by two hours, over the wire, and what the dry run takes."""

import json

import pytest

from tests.bench import goals
from tests.bench.record import Record
from tests.bench.test_accepting import Client, as_json
from tests.servers.stacks import RunningStack

MANY, BULKS = 10_000, 10
#: What also a machine with much other work reaches (seconds).
AT_MOST = 60.0


@pytest.mark.timeout(1200)
def test_many_posts_are_moved_at_once(stack: RunningStack, record: Record) -> None:
    client = Client(stack)
    first = client.send("/postiz/bulk-publish", *as_json(MANY)[:2]).json()["job"]["id"]
    move(client, record, MANY, {"job_id": first})
    for _ in range(BULKS - 1):
        client.send("/postiz/bulk-publish", *as_json(MANY)[:2])
    move(client, record, MANY * BULKS, {"profile_id": "bulks"})
    assert record.compare_with_goal(goals.MOVES, seconds(record, MANY)) <= AT_MOST
    record.compare_with_goal(goals.MANY_MOVES, seconds(record, MANY * BULKS))


def move(client: Client, record: Record, number: int, which: dict[str, str]) -> None:
    body = json.dumps({**which, "shift_minutes": 120}).encode()
    for name, query in (("dry run", {"dry_run": "true"}), ("moved", {})):
        took = client.seconds("/posts/reschedule", body, "application/json", **query)
        record.add_round(f"{number:,} posts", name, {"seconds": took})


def seconds(record: Record, number: int) -> float:
    return record.median(f"{number:,} posts", "seconds", "moved")
