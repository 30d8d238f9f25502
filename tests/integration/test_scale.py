"""With many posts in the database, what is looked for often is found through an index."""

from collections.abc import Iterator

import pytest

from tests.crowd import fill, looks, plans
from tests.world import InlineWaker, runtime_for
from worker.runtime import Runtime

ACCOUNTS, POSTS = 100, 50_000


@pytest.fixture(scope="module")
def crowded(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str
) -> Iterator[Runtime]:
    runtime = runtime_for(module_database_url, tmp_path_factory.mktemp("crowd"))
    fill(runtime.database, accounts=ACCOUNTS, posts=POSTS)
    yield runtime
    runtime.close()


@pytest.mark.parametrize("name", ["tick", "sweep", "whose turn", "next call"])
def test_no_look_for_work_reads_all_posts(crowded: Runtime, name: str) -> None:
    for statement, plan in plans(crowded.database, looks(crowded, 1)[name]).items():
        assert "Seq Scan on posts" not in plan, f"{statement}\n\n{plan}"


def test_what_is_due_is_found_among_many(crowded: Runtime) -> None:
    waker = crowded.waker
    assert isinstance(waker, InlineWaker)
    waker.waiting.clear()
    look = looks(crowded, 1)
    look["sweep"]()
    assert len([each for each in waker.waiting if each[0] == "pressroom.stage"]) == ACCOUNTS
    due, _ = look["whose turn"]()
    assert len(due) == ACCOUNTS  # the first of each is due since a moment, on a server of its own
    assert look["next call"]() == POSTS // ACCOUNTS // 2  # all that is due within a day
