"""The clock: who has nothing to do gets no messages, and what is due gets its round."""

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
import redis
from celery import Celery
from sqlalchemy import Engine, event, func, select, text, update

from local.ports import free_port
from shared.domain.publishing.states import PostState
from shared.models import AccountMedia, Post, Schedule, Submission
from shared.task_queue import RELEASE
from tests.factories.drafts import make_stray_draft
from tests.factories.media import make_medium
from tests.factories.posts import make_due, make_posts
from tests.factories.schedules import build_schedule
from tests.servers.settings import SECRET_KEY
from tests.timing.patience import wait_until
from tests.workers.world import World
from worker import clock, due_work, sweep, tasks
from worker.beat_schedule import ROUNDS, STEPS
from worker.clock import Clock
from worker.due_work import DueWork

TICK, SWEEP, SCHEDULES = "pressroom.tick", "pressroom.sweep", "pressroom.schedules"
#: How often the clock looks in a test, without a pause.
LOOKS = 20
pytestmark = pytest.mark.usefixtures("a_profile")


class Beat:
    """Celery's beat in this process, at a real broker; it looks whenever it is told to."""

    def __init__(self, made: Clock, queue: redis.Redis) -> None:
        self._clock = made
        self._queue = queue
        self.headers: list[dict[str, Any]] = []  # of what the last looks sent

    def look(self, times: int = 1) -> Counter[str]:
        """How often each round was sent."""
        self._queue.delete(RELEASE)
        for _ in range(times):
            self._clock.tick()
        messages = self._queue.lrange(RELEASE, 0, -1)
        assert isinstance(messages, list)
        self.headers = [json.loads(message)["headers"] for message in messages]
        return Counter(headers["task"] for headers in self.headers)


@pytest.fixture
def start_beat(
    world: World, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Beat]]:
    """On the world's database, unless the environment names another by then."""
    started: list[Clock] = []
    monkeypatch.setattr(clock, "LOOK_SECONDS", 0.0)
    monkeypatch.setenv("DATABASE_URL", world.settings.database_url.get_secret_value())
    monkeypatch.setenv("PRESSROOM_SECRET_KEYS", SECRET_KEY)

    def start() -> Beat:
        started.append(Clock(app=Celery("pressroom", broker=redis_url, set_as_current=False)))
        return Beat(started[-1], redis.Redis.from_url(redis_url))

    yield start
    for each in started:
        each.close()


@pytest.fixture
def rested(world: World) -> World:
    """With posts that are published, staged, and planned for later; there is nothing to do."""
    make_posts(world, "acme", ["in ten days"], in_seconds=10 * 86400)
    make_posts(world, "acme", ["in a month"], in_seconds=30 * 86400)
    staged = make_posts(world, "acme", ["in an hour"], in_seconds=3600)
    published = make_posts(world, "acme", ["now"])
    world.until_all(PostState.STAGED, staged)
    world.until_all(PostState.PUBLISHED, published)
    with closing(DueWork(world.database.engine, world.settings)) as due:
        world.until(lambda: not due.find_due_steps())
    return world


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_whoever_has_nothing_to_do_is_asked_one_statement_and_sent_nothing(
    rested: World, start_beat: Callable[[], Beat]
) -> None:
    beat = start_beat()
    assert set(beat.look()) == {TICK, SWEEP, SCHEDULES}  # each once at the start
    with counted_statements() as statements:
        assert beat.look(LOOKS) == Counter()
    assert statements == ["EXECUTE due_steps"] * LOOKS


def late_release(world: World) -> None:
    with world.database.transaction() as session:
        ids = session.scalars(select(Post.id).where(Post.state == PostState.STAGED)).all()
    make_due(world, ids)


def due_schedule(world: World) -> None:
    with world.database.transaction() as session:
        schedule: Schedule = build_schedule([])
        schedule.next_fire_at = func.now()
        session.add(schedule)


def new_post(world: World) -> None:
    make_posts(world, "acme", ["new"])


def lost_call(world: World) -> None:
    """Its worker died before Postiz answered."""
    make_stray_draft(world)
    with world.database.transaction() as session:
        long_ago = func.now() - timedelta(hours=1)
        session.execute(
            update(Submission)
            .where(Submission.state == "abandoned")
            .values(state="sending", sent_at=long_ago, litter_at=None)
        )


def lost_upload(world: World) -> None:
    make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes(2000))
    with world.database.transaction() as session:
        gone = {"state": "uploading", "lease_until": func.now() - timedelta(seconds=1)}
        session.execute(update(AccountMedia).values(gone))


@pytest.mark.parametrize(
    ("happens", "task", "step"),
    [
        (late_release, TICK, "pressroom.release"),
        (due_schedule, SCHEDULES, "fire"),
        (new_post, SWEEP, "pressroom.stage"),
        (make_stray_draft, SWEEP, "pressroom.litter"),
        (lost_call, SWEEP, "rescue_calls"),
        (lost_upload, SWEEP, "rescue_uploads"),
    ],
)
def test_what_is_due_gets_its_round_with_its_step_and_no_other(
    rested: World,
    start_beat: Callable[[], Beat],
    happens: Callable[[World], None],
    task: str,
    step: str,
) -> None:
    beat = start_beat()
    beat.look()
    happens(rested)
    sent: Counter[str] = Counter()

    def has_come() -> bool:
        sent.update(beat.look())
        return task in sent

    wait_until(has_come)
    assert set(sent) == {task}
    [named] = [set(headers[STEPS]) for headers in beat.headers]
    assert step in named
    assert named <= {step, "pressroom.stage"}  # which is asked for posts of later days


def test_a_worker_does_the_steps_that_the_message_names(
    rested: World, start_beat: Callable[[], Beat], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all of them where it names none."""
    done: list[Collection[str] | None] = []
    monkeypatch.setattr(tasks, "current_runtime", lambda: rested.runtime)
    monkeypatch.setattr(sweep, "run_sweep", lambda _, steps: done.append(steps))
    beat = start_beat()
    beat.look()
    everything = next(each for each in beat.headers if each["task"] == SWEEP)
    make_stray_draft(rested)
    wait_until(lambda: beat.look()[SWEEP] == 1)
    [named] = beat.headers
    for headers in (everything, named):
        tasks.sweep_all.push_request(**headers)
        try:
            tasks.sweep_all.run()
        finally:
            tasks.sweep_all.pop_request()
    assert done == [None, named[STEPS]]
    assert "pressroom.litter" in named[STEPS]


def test_a_step_that_is_always_due_does_not_put_off_the_round_of_all_steps(
    rested: World, start_beat: Callable[[], Beat], monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = start_beat()
    beat.look()
    make_stray_draft(rested)
    monkeypatch.setattr(beat._clock, "_sent_at", {})
    wait_until(lambda: beat.look()[SWEEP] == 1)
    assert STEPS in beat.headers[0]
    long_ago = time.monotonic() - clock.ANYWAY_SECONDS
    monkeypatch.setitem(beat._clock._complete_at, SWEEP, long_ago)
    assert beat.look() == {SWEEP: 1}
    assert STEPS not in beat.headers[0]


def test_a_round_is_not_sent_more_often_than_it_says(
    rested: World, start_beat: Callable[[], Beat]
) -> None:
    beat = start_beat()
    new_post(rested)
    assert beat.look(LOOKS)[SWEEP] == 1


def test_each_round_is_sent_now_and_then_in_any_case(
    rested: World, start_beat: Callable[[], Beat], monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = start_beat()
    beat.look()
    monkeypatch.setattr(clock, "ANYWAY_SECONDS", 0.0)
    assert beat.look(LOOKS) == dict.fromkeys((TICK, SWEEP, SCHEDULES), LOOKS)


def test_without_a_database_each_round_is_sent(
    start_beat: Callable[[], Beat], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    assert_sends_all(start_beat(), monkeypatch)


def test_a_question_that_fails_stops_no_round(
    world: World, start_beat: Callable[[], Beat], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason: here it does not know a table."""
    beat = start_beat()
    beat.look()
    with world.database.transaction() as session:
        session.execute(text("ALTER TABLE webhooks RENAME TO elsewhere"))
    try:
        assert_sends_all(beat, monkeypatch)
    finally:
        with world.database.transaction() as session:
            session.execute(text("ALTER TABLE elsewhere RENAME TO webhooks"))
    wait_until(lambda: beat.look() == Counter())  # it asks again


def test_a_connection_that_was_ended_is_replaced(
    rested: World, start_beat: Callable[[], Beat], monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = start_beat()
    beat.look()
    with rested.database.transaction() as session:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'EXECUTE%'"
        assert session.scalars(text(ended)).all() == [True]
    assert_sends_all(beat, monkeypatch)
    wait_until(lambda: beat.look() == Counter())


def assert_sends_all(beat: Beat, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were something for each, ten seconds after the last."""
    with monkeypatch.context() as patched:
        sent_at = dict.fromkeys((TICK, SWEEP, SCHEDULES), time.monotonic() - 10)
        patched.setattr(beat._clock, "_sent_at", sent_at)
        assert set(beat.look()) == {TICK, SWEEP, SCHEDULES}


def test_every_step_of_a_round_is_asked_for(world: World) -> None:
    assert {entry["task"] for entry in ROUNDS.values()} == {TICK, SWEEP, SCHEDULES}
    assert due_work.rescue_queries(60, 60).keys() == sweep.RESCUES.keys()
    assert due_work.waiting_queries().keys() > sweep.WAITING.keys()
    assert due_work.tick_queries().keys() > sweep.DUE_TO_THE_SECOND.keys()
