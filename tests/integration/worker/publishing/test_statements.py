"""How many statements and transactions a post costs, from acceptance until it is published."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from local.sandbox.process import SandboxProcess
from shared.domain.publishing.states import PostState
from tests.factories.posts import make_posts
from tests.workers.runtimes import make_runtime
from tests.workers.world import World

POSTS = 200
MOST_STATEMENTS, MOST_TRANSACTIONS = 8.0, 2.0


@contextmanager
def counted(engine: Engine) -> Iterator[Counter[str]]:
    """Counts what is sent to PostgreSQL by any thread meanwhile."""
    counts: Counter[str] = Counter()

    def note_statement(*_: object) -> None:
        counts["statements"] += 1

    def note_begin(*_: object) -> None:
        counts["transactions"] += 1

    event.listen(engine, "before_cursor_execute", note_statement)
    event.listen(engine, "begin", note_begin)
    try:
        yield counts
    finally:
        event.remove(engine, "before_cursor_execute", note_statement)
        event.remove(engine, "begin", note_begin)


@pytest.fixture
def world(only_acme: SandboxProcess, database_url: str, tmp_path: Path) -> Iterator[World]:
    """Without a pace, so that little time passes in which it only looks for work."""
    runtime = make_runtime(database_url, tmp_path, PRESSROOM_WRITES_PER_SECOND="10000")
    yield World(runtime=runtime, sandbox=only_acme.admin, api_url=only_acme.api_url)
    runtime.close()


def test_a_post_costs_few_statements(world: World, a_profile: None) -> None:
    with counted(world.database.engine) as counts:
        ids = make_posts(world, "acme", [f"post {number}" for number in range(POSTS)])
        world.until_all(PostState.PUBLISHED, ids)
    assert counts["statements"] <= MOST_STATEMENTS * POSTS
    assert counts["transactions"] <= MOST_TRANSACTIONS * POSTS
