"""The HTTP API, and the worker's steps, each with a sandbox Postiz behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from local.postgres import Postgres
from local.sandbox.process import SandboxProcess, start_sandbox
from local.valkey import Valkey
from tests.conftest import migrated_copy
from tests.factories.profiles import CHANNELS, KEY, OTHER, make_profile
from tests.factories.rows import Rows
from tests.servers.api import Api
from tests.servers.buckets import Bucket, running_bucket
from tests.servers.receiver import Receiver, receiving
from tests.servers.settings import make_settings
from tests.servers.web_server import Server, serving
from tests.timing.patience import PATIENCE
from tests.timing.sandbox_timings import QUICK, steady_timing
from tests.workers.memory_postiz import MemoryPostiz, put_behind
from tests.workers.runtimes import make_runtime
from tests.workers.world import World
from web.api import profiles as profiles_api
from worker.profiles import account_moves
from worker.publishing import cancel, reconcile, track
from worker.runtime import Runtime
from worker.schedules import fire
from worker.staging import orphan_drafts, stage

DEMO_KEY = "sandbox-demo-key"


@pytest.fixture(scope="session")
def api_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    folder = tmp_path_factory.mktemp("api-sandbox")
    with start_sandbox(folder, timing=steady_timing()) as running:
        yield running


@pytest.fixture
def postiz(api_sandbox: SandboxProcess) -> SandboxProcess:
    """Without faults and posts, and with the organizations that it is born with."""
    api_sandbox.admin.clear_faults()
    api_sandbox.admin.reset()
    return api_sandbox


@pytest.fixture(scope="session")
def one_api(
    postgres: Postgres, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """One application for all tests: starting and ending it takes longer than most of them."""
    home = tmp_path_factory.mktemp("api")
    database = migrated_copy(postgres, "api")
    made = Api(make_settings(postgres.url(database), home, REDIS_URL=valkey_server.url()))
    yield made
    made.close()


@pytest.fixture
def bare_api(one_api: Api) -> Api:
    """With nothing in it, and no Postiz in its environment."""
    one_api.empty()
    return one_api


@pytest.fixture
def api(bare_api: Api, postiz: SandboxProcess) -> Api:
    """With a profile `acme` whose Postiz is the sandbox."""
    credentials = {"api_url": postiz.api_url, "api_key": DEMO_KEY}
    body = {"id": "acme", "name": "Acme", "tts_settings": {"postiz": credentials}}
    made = bare_api.post("/profiles", body)
    assert made.status_code == 201, made.text
    assert made.json["postiz_check"]["ok"], made.text
    return bare_api


@pytest.fixture(scope="session")
def quick_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("quick"), timing=QUICK, seed=[]) as running:
        yield running


@pytest.fixture
def only_acme(quick_sandbox: SandboxProcess) -> SandboxProcess:
    """The sandbox with nothing in it but the organization `acme` with the key `KEY`."""
    admin = quick_sandbox.admin
    for org in admin.orgs():
        admin.delete_org(org["id"])
    admin.clear_faults()
    admin.reset()
    admin.create_org("acme", keys=[KEY], integrations=CHANNELS)
    return quick_sandbox


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Of webhooks."""
    with receiving() as started:
        yield started


@pytest.fixture(autouse=True)
def whole_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step ends with its work, and not where a busy machine has used up the step's second."""
    for module in (account_moves, cancel, fire, orphan_drafts, reconcile, stage, track):
        monkeypatch.setattr(module, "SLICE_SECONDS", PATIENCE)


@pytest.fixture(scope="session")
def _engines() -> dict[str, Engine]:
    """By address of the database: each keeps the statements that it has compiled."""
    return {}


@pytest.fixture
def world(
    only_acme: SandboxProcess,
    database_url: str,
    tmp_path: Path,
    short_rests: None,
    _engines: dict[str, Engine],
) -> Iterator[World]:
    """A worker in this process, for the organization `acme`."""
    runtime = make_runtime(database_url, tmp_path, _engines.get(database_url))
    _engines[database_url] = runtime.database.engine
    yield World(runtime=runtime, sandbox=only_acme.admin, api_url=only_acme.api_url)
    runtime.close()


@pytest.fixture
def a_profile(world: World) -> None:
    """`acme`, with the key of its organization."""
    make_profile(world, key=KEY)


@pytest.fixture
def two_profiles(world: World) -> World:
    """`acme` and `other`, each with an organization and a key of its own."""
    channel = {"id": "int-o", "name": "O", "identifier": "mastodon"}
    world.sandbox.create_org("other", keys=[OTHER], integrations=[channel])
    make_profile(world, "acme", key=KEY)
    make_profile(world, "other", key=OTHER)
    return world


@pytest.fixture(scope="module")
def runtime(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    """For steps that work on the `rows` of their test alone: one for the tests of a file."""
    made = make_runtime(module_database_url, tmp_path_factory.mktemp("home"))
    yield made
    made.close()


@pytest.fixture
def rows(runtime: Runtime) -> Rows:
    return Rows(runtime.database)


@pytest.fixture
def memory_postiz(runtime: Runtime, rows: Rows) -> MemoryPostiz:
    return put_behind(runtime, rows)


@pytest.fixture
def server(database_url: str, valkey_server: Valkey, tmp_path: Path) -> Iterator[Server]:
    """gunicorn, as users run it."""
    with serving(database_url, valkey_server.url(), tmp_path) as running:
        yield running


@pytest.fixture(autouse=True)
def unhurried_deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile's delete is finished within its request, however long the machine takes for it."""
    monkeypatch.setattr(profiles_api, "DELETING_SECONDS", PATIENCE)


@pytest.fixture(scope="session")
def bucket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with running_bucket(tmp_path_factory.mktemp("bucket") / "log") as running:
        yield running


@pytest.fixture
def bucket(bucket_server: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Empty, and known to what is opened in this test."""
    for name, value in bucket_server.environ.items():
        monkeypatch.setenv(name, value)
    bucket_server.empty()
    return bucket_server


@pytest.fixture
def bucket_api(
    bucket: Bucket, postiz: SandboxProcess, database_url: str, redis_url: str, tmp_path: Path
) -> Iterator[Api]:
    """With a profile `acme`, and media in a bucket."""
    values = {"REDIS_URL": redis_url, "PRESSROOM_MEDIA_URL": bucket.url}
    made = Api(make_settings(database_url, tmp_path, **values))
    credentials = {"api_url": postiz.api_url, "api_key": DEMO_KEY}
    body = {"id": "acme", "name": "Acme", "tts_settings": {"postiz": credentials}}
    assert made.post("/profiles", body).status_code == 201
    yield made
    made.close()
