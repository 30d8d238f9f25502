"""Real servers for the tests that ask for them; a test that asks for none opens no socket."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
import structlog

from local import guard
from local.ports import free_port
from local.postgres import Postgres
from local.valkey import Valkey
from tests.servers.embedded import migrate, running
from tests.servers.emptied import empty_database
from tests.servers.stacks import RunningStack, starting_stacks
from worker.accounts import leases
from worker.accounts.error_policy import backoff_seconds
from worker.media import upload
from worker.staging import batch_selection

#: The default draws each traceback with all local variables: a fortieth of all tests' time.
_PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
MIGRATED = "migrated"
AT_ONCE = timedelta(seconds=0.2)
#: Names `FOLDER:PORT` of a server that is up, with that database: for runs of single tests.
RUNNING_POSTGRES = "PRESSROOM_TEST_POSTGRES"


def pytest_configure() -> None:
    """A run that is told to stop ends its servers, as one that is interrupted does.

    And of one that is killed the guard ends them.
    """
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("told to stop", returncode=143))
    guard.start()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server for the session, with one empty database, migrated, as the template of the rest."""
    if RUNNING_POSTGRES in os.environ:
        home, _, port = os.environ[RUNNING_POSTGRES].rpartition(":")
        yield Postgres(folder=Path(home), port=int(port), durable=False)
        return
    folder = tmp_path_factory.mktemp("postgres")
    server = Postgres(folder=folder, port=free_port(), durable=False)
    with running(server.service(), folder / "postgres.log"):
        server.create_database(MIGRATED)
        migrate(server.url(MIGRATED))
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """One migrated database for the whole session: what one test writes, the next one sees."""
    return postgres.url(migrated_copy(postgres, "session"))


_numbers = itertools.count(1)


def migrated_copy(postgres: Postgres, name: str) -> str:
    """The name of a new database with our tables; several processes may share a server."""
    made = f"{name}_{os.getpid()}_{next(_numbers)}"
    postgres.create_database(made, template=MIGRATED)
    return made


@pytest.fixture(scope="session")
def _emptied() -> list[str]:
    """Names of databases without rows and without users."""
    return []


@pytest.fixture
def database_url(postgres: Postgres, _emptied: list[str]) -> Iterator[str]:
    """A migrated database for this test alone, with no rows."""
    name = _emptied.pop() if _emptied else migrated_copy(postgres, "test")
    yield postgres.url(name)
    empty_database(postgres.url(name))
    _emptied.append(name)


@pytest.fixture(scope="module")
def module_database_url(postgres: Postgres) -> Iterator[str]:
    """A migrated database for the tests of one file."""
    name = migrated_copy(postgres, "module")
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    folder = tmp_path_factory.mktemp("valkey")
    server = Valkey(folder=folder, port=free_port())
    with running(server.service(), folder / "valkey.log"):
        yield server


@pytest.fixture
def redis_url(valkey_server: Valkey) -> str:
    """A real Valkey, emptied."""
    with redis.Redis.from_url(valkey_server.url()) as client:
        client.flushall()
    return valkey_server.url()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The whole stack, sandbox included, shared by all tests of the session that ask for it."""
    home = tmp_path_factory.mktemp("stack") / "home"
    with RunningStack(home, PRESSROOM_FLOWER="1") as running_stack:
        yield running_stack


@pytest.fixture(scope="module")
def start_stack() -> Iterator[Callable[..., RunningStack]]:
    """Starts a stack of one's own, to harm at will: `start_stack(home, PRESSROOM_SANDBOX="0")`."""
    with starting_stacks() as start:
        yield start


@pytest.fixture
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed rests a tenth as long: how long it should, test_error_policy.py says.

    And what found nothing to stage looks again at once: there is no API here whose wake-up comes
    before that.
    """
    for module in (leases, upload):
        monkeypatch.setattr(
            module, "backoff_seconds", lambda failures: backoff_seconds(failures) / 10
        )
    monkeypatch.setattr(batch_selection, "RETRY_AFTER", AT_ONCE)
