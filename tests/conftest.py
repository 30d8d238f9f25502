"""Real servers for the tests that ask for them; a test that asks for none opens no socket."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from local.child import ROOT, Child, last_lines, stop
from local.ports import free_port
from local.postgres import Postgres
from local.service import Service
from local.valkey import Valkey

_MIGRATED = "migrated"
_START_SECONDS = 60


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server for the session, with one empty database, migrated, as the template of the rest."""
    folder = tmp_path_factory.mktemp("postgres")
    server = Postgres(folder=folder, port=free_port(), durable=False)
    with running(server.service(), folder / "postgres.log"):
        server.create_database(_MIGRATED)
        migrate(server.url(_MIGRATED))
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """One migrated database for the whole session: what one test writes, the next one sees."""
    postgres.create_database("session", template=_MIGRATED)
    return postgres.url("session")


_numbers = itertools.count(1)


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """A migrated database for this test alone."""
    name = f"test_{next(_numbers)}"
    postgres.create_database(name, template=_MIGRATED)
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


@contextmanager
def running(service: Service, log: Path) -> Iterator[Child]:
    child = Child(service, log)
    try:
        wait_until_healthy(child)
        yield child
    finally:
        stop([child])


def wait_until_healthy(child: Child) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not child.service.healthy():
        alive = not child.has_ended() and time.monotonic() < deadline
        assert alive, f"{child.service.name} did not start:\n{last_lines(child.log)}"
        time.sleep(0.05)


def migrate(database_url: str) -> None:
    if not (ROOT / "shared" / "migrate.py").exists():
        return
    command = [sys.executable, "-m", "shared.migrate"]
    environ = {**os.environ, "DATABASE_URL": database_url}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
