"""With many posts in the database, what is looked for often is found through an index."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from shared.access.visible_profiles import VisibleProfiles
from shared.accounts import budget_queries
from shared.jobs import etas
from shared.models import Account
from tests.scenarios.crowd import fill, hold_back, looks, pages_read, plans, set_aside, tidy
from tests.workers.inline_tasks import waiting_tasks
from tests.workers.runtimes import make_runtime
from web.metrics.database_metrics import read_metrics
from worker.runtime import Runtime

ACCOUNTS, POSTS = 100, 50_000


@pytest.fixture(scope="module")
def crowded(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str
) -> Iterator[Runtime]:
    runtime = make_runtime(module_database_url, tmp_path_factory.mktemp("crowd"))
    fill(runtime.database, accounts=ACCOUNTS, posts=POSTS)
    yield runtime
    runtime.close()


@pytest.mark.parametrize(
    "name", ["tick", "sweep", "due steps", "whose turn", "next call", "next releases"]
)
def test_no_look_for_work_reads_all_posts(crowded: Runtime, name: str) -> None:
    for statement, plan in plans(crowded.database, looks(crowded, 1)[name]).items():
        assert "Seq Scan on posts" not in plan, f"{statement}\n\n{plan}"


def test_what_is_due_is_found_among_many(crowded: Runtime) -> None:
    waiting = waiting_tasks(crowded)
    waiting.clear()
    look = looks(crowded, 1)
    look["sweep"]()
    assert len([each for each in waiting if each[0] == "pressroom.stage"]) == ACCOUNTS
    due, _ = look["whose turn"]()
    assert len(due) == ACCOUNTS  # the first of each is due since a moment, on a server of its own
    assert look["next releases"]() == ACCOUNTS
    assert look["next call"]() == POSTS // ACCOUNTS // 2  # all that is due within a day


def test_metrics_read_each_post_a_few_times_at_most(crowded: Runtime) -> None:
    """However many accounts there are."""
    with crowded.database.transaction() as session:
        pages = session.scalar(text("SELECT relpages FROM pg_class WHERE relname = 'posts'"))
    assert pages_read(crowded.database, lambda: read_all_metrics(crowded)) < 4 * pages


def read_all_metrics(runtime: Runtime) -> None:
    with runtime.database.transaction() as session:
        list(read_metrics(session))


def test_an_account_s_backlog_is_found_without_other_accounts_and_ended_posts(
    crowded: Runtime,
) -> None:
    """It is read whenever a post is accepted."""

    def look() -> None:
        with crowded.database.transaction() as session:
            assert etas.drain_times(session, [1], crowded.settings)[1] is not None
            account = session.get_one(Account, 1)
            [read] = budget_queries.read_accounts(session, [account], VisibleProfiles(None))
            assert read.backlog == POSTS // ACCOUNTS

    for statement, plan in plans(crowded.database, look).items():
        assert "Seq Scan on posts" not in plan, f"{statement}\n\n{plan}"
        assert "ix_posts_job_id_state" not in plan, f"{statement}\n\n{plan}"


HOLDING, HELD = 3, 500  # so many accounts hold back so many posts in each of ten ways


@pytest.fixture(scope="module")
def beside_held(crowded: Runtime) -> tuple[Runtime, dict[str, int]]:
    """The same with accounts most of whose posts are held back, and what each look cost before."""
    before = {name: pages_read(crowded.database, look) for name, look in looks(crowded, 1).items()}
    hold_back(crowded.database, accounts=HOLDING, each=HELD)
    for account_id in range(1, HOLDING + 1):
        set_aside(crowded, account_id)
    tidy(crowded.database)
    return crowded, before


@pytest.mark.parametrize("name", ["tick", "sweep", "due steps", "whose turn", "next call"])
def test_what_is_held_back_costs_nothing(
    beside_held: tuple[Runtime, dict[str, int]], name: str
) -> None:
    """Paused jobs and profiles, refused keys, departed profiles, media and channels that are not
    there; what of it could only be seen by looking at it was looked at once."""
    runtime, before = beside_held
    assert pages_read(runtime.database, looks(runtime, 1)[name]) < 3 * before[name]


def test_what_is_due_is_found_beside_what_is_held_back(
    beside_held: tuple[Runtime, dict[str, int]],
) -> None:
    runtime, _ = beside_held
    look = looks(runtime, 1)
    due, _ = look["whose turn"]()
    assert {one.profile_id for one in due} == {f"profile-{n}" for n in range(1, ACCOUNTS + 1)}
    assert look["next call"]() == POSTS // ACCOUNTS // 2
