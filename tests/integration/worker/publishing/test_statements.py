"""How many statements and transactions a post costs, from acceptance until it is published."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event

from shared.domain.publishing.states import PostState
from tests.factories.posts import make_posts
from tests.workers.world import World

POSTS = 200
MOST_STATEMENTS, MOST_TRANSACTIONS = 20.0, 10.0


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


def test_a_post_costs_few_statements(world: World, a_profile: None) -> None:
    with counted(world.database.engine) as counts:
        ids = make_posts(world, "acme", [f"post {number}" for number in range(POSTS)])
        world.until_all(PostState.PUBLISHED, ids)
    assert counts["statements"] <= MOST_STATEMENTS * POSTS
    assert counts["transactions"] <= MOST_TRANSACTIONS * POSTS
