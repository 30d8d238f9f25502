"""A pause is in force once it is answered: the sandbox's ledger shows no new call after it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from local.sandbox.process import SandboxProcess, start_sandbox
from shared.domain.publishing.states import PostState
from shared.errors import Paused
from shared.models import AccountMedia, Post
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.posts import make_due, make_posts
from tests.factories.profiles import KEY, make_profile
from tests.servers.api import Api
from tests.servers.settings import SECRET_KEY, make_settings
from tests.timing import delays
from tests.timing.patience import PATIENCE
from tests.timing.sandbox_timings import QUICK
from tests.workers.children import children
from tests.workers.inline_tasks import release_due
from tests.workers.runtimes import make_runtime
from tests.workers.world import World
from worker import sweep
from worker.media import upload
from worker.staging import stage, submissions

CHILDREN = 3
POSTS = 90
ROUNDS = 4
#: From a call's last question to its first byte at the sandbox, besides the machine's own delay.
GRACE = 0.1
SETTINGS = {
    "PRESSROOM_SECRET_KEYS": SECRET_KEY,
    "PRESSROOM_SETTLE_SECONDS": "0.2",
    "PRESSROOM_WRITES_PER_SECOND": "15",
}


@dataclass
class Control:
    """The API that a person pauses by, and the world that its workers act in."""

    api: Api
    world: World

    def paths(self) -> dict[str, str]:
        [account] = self.api.get("/accounts").json["items"]
        jobs = self.api.get("/jobs?kind=publish").json["items"]
        return {
            "job": f"/jobs/{jobs[0]['id']}" if jobs else "",
            "profile": "/profiles/acme",
            "account": f"/accounts/{account['id']}",
        }

    def set(self, path: str, word: str) -> float:
        """When it had answered."""
        reply = self.api.post(f"{path}/{word}")
        assert reply.status_code in {200, 202}, reply.text
        return time.time()

    def sent(self, since: float = 0.0, until: float = float("inf")) -> list[dict[str, Any]]:
        """Calls that bring something new to Postiz, or have it published."""
        return [
            row
            for row in self.world.sandbox.ledger(kind="request")
            if since < row["time"] < until
            and row["method"] in {"POST", "PUT"}
            and "pressroom-probe" not in row["path"]
        ]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path / "sandbox", timing=QUICK, seed=[]) as running:
        yield running


@pytest.fixture
def control(
    sandbox: SandboxProcess, database_url: str, redis_url: str, tmp_path: Path
) -> Iterator[Control]:
    channel = {"id": "int-mastodon", "name": "Masto", "identifier": "mastodon"}
    sandbox.admin.create_org("acme", keys=[KEY], integrations=[channel], limit=100_000)
    api = Api(make_settings(database_url, tmp_path, REDIS_URL=redis_url, **SETTINGS))
    runtime = make_runtime(database_url, tmp_path, **SETTINGS)
    yield Control(api, World(runtime=runtime, sandbox=sandbox.admin, api_url=sandbox.api_url))
    runtime.close()
    api.close()


@pytest.fixture
def workers(control: Control, database_url: str, redis_url: str, tmp_path: Path) -> Iterator[None]:
    environ = {
        **SETTINGS,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PRESSROOM_MEDIA_URL": f"file://{tmp_path}/media",
        "PRESSROOM_ALLOW_PRIVATE_URLS": "1",
    }
    with children(CHILDREN, environ):
        yield


def load(world: World) -> list[int]:
    """A job whose posts need many small calls of every kind."""
    make_profile(world, key=KEY)
    media = [make_medium(world, "acme", FILES.png(number)) for number in range(20)]
    ids = make_posts(world, "acme", [f"clip {number}" for number in range(POSTS)])
    with world.database.transaction() as session:
        for number, post_id in enumerate(ids):
            wanted = {"pack_limit": 3, "media_ids": [media[number % len(media)]]}
            session.execute(update(Post).where(Post.id == post_id).values(wanted))
    return ids


def until(met: Any, why: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


@pytest.mark.parametrize("level", ["job", "profile", "account"])
def test_no_new_call_begins_after_a_pause_was_answered(
    control: Control, workers: None, level: str
) -> None:
    ids = load(control.world)
    path = control.paths()[level]
    with delays.measured(control.world.sandbox, control.world.api_url) as delay:
        for number in range(ROUNDS):
            enough = len(control.sent()) + number
            until(lambda: len(control.sent()) > enough, control.world.describe)  # noqa: B023 (at once)
            paused_at = control.set(path, "pause")
            time.sleep(0.5)
            still = control.sent(paused_at + GRACE + delay())
            assert [row for row in still if is_of(level, row)] == []
            control.set(path, "resume")
    until(lambda: set(control.world.states(ids)) == {PostState.PUBLISHED}, control.world.describe)
    assert len(control.world.sandbox.sends()) == POSTS


def is_of(level: str, row: dict[str, Any]) -> bool:
    """The uploads were asked for by another request: the posts' job has no say in them."""
    return level != "job" or not row["path"].endswith("/upload")


def test_a_pause_while_a_pack_is_being_made_holds_it_back(control: Control) -> None:
    """Between the claim and the first byte; and what the pack was charged is given back."""
    world = control.world
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["one", "two", "three"])
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    control.set("/profiles/acme", "pause")
    stage._run_call(world.runtime, call)
    assert [row for row in control.sent() if row["path"].endswith("/posts")] == []
    assert set(world.states(ids)) == {PostState.PENDING}
    assert world.post(ids[0]).attempts == 0
    assert world.account().budget_used == 0
    control.set("/profiles/acme", "resume")
    world.until_all(PostState.PUBLISHED, ids)


def test_a_pause_while_an_upload_is_being_prepared_holds_it_back(control: Control) -> None:
    world = control.world
    make_profile(world, key=KEY)
    medium = make_medium(world, "acme", FILES.png())
    with world.database.transaction() as session:
        number = session.scalar(select(AccountMedia.id).where(AccountMedia.media_id == medium))
        assert number is not None
        one = upload.claim_upload(session, number)
    assert one is not None
    control.set("/profiles/acme", "pause")
    with pytest.raises(Paused):
        upload._transfer_medium(world.runtime, one, upload.Heartbeat(world.runtime, one))
    assert control.sent() == []


def test_what_a_paused_upload_job_brings_waits(control: Control) -> None:
    world = control.world
    make_profile(world, key=KEY)
    medium = make_medium(world, "acme", FILES.png())
    [job] = control.api.get("/jobs?kind=upload").json["items"]
    control.set(f"/jobs/{job['id']}", "pause")
    for _ in range(3):
        beat(world)
    assert world.upload_state(medium) == "pending"
    control.set(f"/jobs/{job['id']}", "resume")
    world.until(lambda: world.upload_state(medium) == "uploaded")


def beat(world: World) -> None:
    sweep.run_sweep(world.runtime)
    world.work()


def test_a_paused_account_still_settles_what_is_unclear(control: Control) -> None:
    """A release whose answer is lost is looked at, parked and undone; nothing new is sent."""
    world = control.world
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["unclear"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    world.sandbox.add_fault("reply_lost_before", route="PUT /posts/:id/status", times=1)
    make_due(world, ids)
    release_due(world.runtime)
    assert world.states(ids) == [PostState.RELEASING]
    control.set(control.paths()["account"], "pause")
    world.until_all(PostState.PENDING, ids)
    assert "parked" in world.timeline(ids[0])
    assert world.sandbox.sends() == []
    control.set(control.paths()["account"], "resume")
    world.until_all(PostState.PUBLISHED, ids)
    assert len(world.sandbox.sends()) == 1
