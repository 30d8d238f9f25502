"""The version check is what keeps replaced keys from being used: without it, they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.sandbox.process import SandboxProcess, start_sandbox
from tests.factories.posts import make_posts
from tests.factories.profiles import make_profile, save_key
from tests.scenarios import rotation
from tests.servers.settings import SECRET_KEY
from tests.timing import delays
from tests.timing.patience import wait_until
from tests.timing.sandbox_timings import steady_timing
from tests.workers.children import children
from tests.workers.runtimes import make_runtime
from tests.workers.world import World

pytestmark = pytest.mark.alone

CHILDREN = 4
ROTATIONS = 40
POSTS = 600  # more than are released while the keys are rotated
QUICK = steady_timing(
    send_delay=0.1, queue_to_start=0.01, publish_delay=0.05, search_rate=1000, element_delay=0.001
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path / "sandbox", timing=QUICK, seed=[]) as running:
        yield running


@pytest.fixture
def world(sandbox: SandboxProcess, database_url: str, tmp_path: Path) -> Iterator[World]:
    runtime = make_runtime(database_url, tmp_path, PRESSROOM_SETTLE_SECONDS=0.2)
    yield World(runtime=runtime, sandbox=sandbox.admin, api_url=sandbox.api_url)
    runtime.close()


@pytest.mark.parametrize("word", ["deaf", "careless"])
def test_only_processes_that_compare_versions_keep_the_promise(
    world: World, word: str, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    made = rotation.open_org(world.sandbox, ROTATIONS)
    make_profile(world, "rotating", key=made[0])
    make_posts(
        world, "rotating", [f"clip {number}" for number in range(POSTS)], integration="int-rotating"
    )
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PRESSROOM_SECRET_KEYS": SECRET_KEY,
        "PRESSROOM_MEDIA_URL": f"file://{tmp_path}/media",
        "PRESSROOM_ALLOW_PRIVATE_URLS": "1",
        "PRESSROOM_SETTLE_SECONDS": "0.2",
        "PRESSROOM_WRITES_PER_SECOND": "20",
    }

    def stale() -> list[dict[str, Any]]:
        return rotation.stale_calls(world.sandbox, saved, delay=delay())

    with children(CHILDREN, environ, word):
        world.until(lambda: bool(rotation.keys_used(world.sandbox)))
        with delays.measured(world.sandbox, world.api_url) as delay:
            saved = rotation.rotate(
                lambda key: save_key(world, "rotating", key=key), made, pause=0.15
            )
            if word == "careless":  # it goes on with an old key: however late the machine is
                wait_until(lambda: stale() != [], world.describe)
    if word == "deaf":
        assert stale() == []
        assert len(rotation.keys_used(world.sandbox)) > 5
