"""Wake-ups and pulses: a long line of work neither grows without end nor looks like no worker."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import select

from local.child import ROOT
from local.ports import free_port
from shared.models import Pulse
from shared.task_queue import PUBLISH, RELEASE, RELEASES_WAITING, Waker, make_sender
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.profiles import KEY, make_profile
from tests.servers.settings import SECRET_KEY
from tests.workers.world import World
from worker import heartbeats
from worker.media import upload

MOST = 50
WANTED = [("pressroom.track", account_id) for account_id in range(3 * MOST)]


@pytest.fixture
def queue(redis_url: str) -> Iterator[redis.Redis]:
    broker = redis.Redis.from_url(redis_url)
    broker.delete(PUBLISH, RELEASE)
    yield broker
    broker.delete(PUBLISH, RELEASE)


def taken(queue: redis.Redis, number: int) -> list[int]:
    """The accounts of the messages that have waited longest, which wait no more."""
    messages = queue.rpop(PUBLISH, number)
    assert isinstance(messages, list)
    return [int(json.loads(one)["headers"]["argsrepr"].strip("(),")) for one in messages]


def test_a_round_fills_the_queue_to_its_bound_and_leaves_nobody_out_for_long(
    queue: redis.Redis, redis_url: str
) -> None:
    waker = Waker(make_sender(redis_url))
    served: set[int] = set()
    for _ in range(100):
        waker.wake_some(WANTED, most=MOST)
        assert queue.llen(PUBLISH) == waker.messages() == MOST
        served.update(taken(queue, MOST // 2))
    assert len(served) == len(WANTED)


def test_what_fills_its_own_part_of_the_line_leaves_others_theirs(
    queue: redis.Redis, redis_url: str
) -> None:
    waker = Waker(make_sender(redis_url))
    for _ in range(3):
        waker.wake_some(WANTED, most=MOST // 2)
    assert queue.llen(PUBLISH) == MOST // 2
    waker.wake_some([("pressroom.stage", 1)] * MOST, most=MOST)
    assert queue.llen(PUBLISH) == MOST


def test_a_round_that_fits_sends_all_of_it_once(queue: redis.Redis, redis_url: str) -> None:
    Waker(make_sender(redis_url)).wake_some(WANTED[:20])
    assert taken(queue, MOST) == list(range(20))


def test_calls_for_releases_leave_the_clock_its_place(queue: redis.Redis, redis_url: str) -> None:
    waker = Waker(make_sender(redis_url))
    for _ in range(50):
        waker.release()
    assert queue.llen(RELEASE) == RELEASES_WAITING


def test_a_broker_that_is_away_fails_no_round() -> None:
    waker = Waker(make_sender(f"redis://127.0.0.1:{free_port()}/0"))
    assert waker.messages() == 0
    waker.wake_some(WANTED)


def seen(world: World) -> set[str]:
    with world.database.transaction() as session:
        return set(session.scalars(select(Pulse.name)))


def test_a_long_upload_shows_that_uploads_are_worked_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "HEARTBEAT", 0.0)
    make_profile(world, key=KEY)
    media_id = make_medium(world, "acme", FILES.mp4())
    assert "worker:upload" not in seen(world)
    world.until(lambda: world.upload_state(media_id) == "uploaded")
    assert "worker:upload" in seen(world)


def test_a_process_notes_the_same_only_now_and_then(world: World) -> None:
    for _ in range(3):
        heartbeats.record_queue_heartbeat(world.runtime, "publish")
    with world.database.transaction() as session:
        session.delete(session.get_one(Pulse, "worker:publish"))
    heartbeats.record_queue_heartbeat(world.runtime, "publish")
    assert "worker:publish" not in seen(world)


TASKS = """
from worker import tasks
tasks.sweep_all.apply(routing_key="publish")
tasks.wake_due.apply(routing_key="release")
tasks.answer_heartbeat.apply(routing_key="upload")
"""


def test_whatever_a_worker_does_shows_that_its_queue_is_served(
    world: World, redis_url: str, tmp_path: Path
) -> None:
    environ = {
        **os.environ,
        "DATABASE_URL": world.settings.database_url.get_secret_value(),
        "REDIS_URL": redis_url,
        "PRESSROOM_SECRET_KEYS": SECRET_KEY,
        "PRESSROOM_MEDIA_URL": f"file://{tmp_path}",
    }
    subprocess.run([sys.executable, "-c", TASKS], cwd=ROOT, env=environ, check=True)
    assert seen(world) == {"beat", "worker:publish", "worker:release", "worker:upload"}
