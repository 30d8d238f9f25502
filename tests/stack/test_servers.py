"""The embedded servers: what they promise a test, and what they survive."""

import os
import signal
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from local.child import Child, stop
from local.ports import free_port
from local.postgres import Postgres
from local.service import Service
from local.valkey import Valkey
from tests.servers.embedded import running, wait_until_healthy


def ask(url: str, statement: str) -> object:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()[0][0] if cursor.description else None
    finally:
        connection.close()


def test_each_test_has_a_database_of_its_own(database_url: str, postgres: Postgres) -> None:
    ask(database_url, "CREATE TABLE mine (id int)")
    assert ask(database_url, "SELECT to_regclass('mine')::text") == "mine"
    postgres.create_database("beside", template="migrated")
    assert ask(postgres.url("beside"), "SELECT to_regclass('mine')::text") is None
    postgres.drop_database("beside")


def test_the_database_speaks_utf8_in_utc(database_url: str) -> None:
    assert ask(database_url, "SHOW server_encoding") == "UTF8"
    assert ask(database_url, "SHOW timezone") == "UTC"
    assert ask(database_url, "SELECT upper('straße é')") == "STRAßE É"


def test_a_wrong_password_is_refused(postgres: Postgres) -> None:
    wrong = postgres.url().replace("pressroom:", "pressroom:x")
    with pytest.raises(psycopg2.OperationalError, match="password"):
        ask(wrong, "SELECT 1")


def test_the_broker_is_empty_and_wants_its_password(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")
    port = redis_url.rsplit(":", 1)[1].split("/", maxsplit=1)[0]
    with redis.Redis(port=int(port)) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_the_broker_is_emptied_for_the_next_test(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def left_running(service: Service, log: Path) -> Child:
    """Healthy and on its own, as after a crash of whoever started it."""
    child = Child(service, log)
    wait_until_healthy(child)
    return child


def kill(child: Child) -> None:
    os.kill(child.pid, signal.SIGKILL)
    stop([child])


def test_postgres_keeps_what_was_committed_before_a_kill(tmp_path: Path) -> None:
    server = Postgres(folder=tmp_path / "postgres", port=free_port())
    child = left_running(server.service(), tmp_path / "log")
    ask(server.url(), "CREATE TABLE kept AS SELECT 42 AS answer")
    kill(child)
    with running(server.service(), tmp_path / "log"):
        assert ask(server.url(), "SELECT answer FROM kept") == 42


def test_postgres_ends_the_server_that_a_crash_left_on_its_data(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    old = Postgres(folder=folder, port=free_port())
    orphan = left_running(old.service(), tmp_path / "old.log")
    new = Postgres(folder=folder, port=free_port())
    with running(new.service(), tmp_path / "new.log"):
        assert not psutil.pid_exists(orphan.pid)
        assert ask(new.url(), "SELECT 1") == 1


def test_postgres_is_not_fooled_by_another_process_with_the_old_number(tmp_path: Path) -> None:
    server = Postgres(folder=tmp_path / "postgres", port=free_port())
    kill(left_running(server.service(), tmp_path / "log"))
    pid_file = tmp_path / "postgres" / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:], ""]))
    with running(server.service(), tmp_path / "log"):
        assert ask(server.url(), "SELECT 1") == 1


def test_postgres_starts_over_when_its_first_start_was_cut_short(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data.new" / "base").mkdir(parents=True)
    server = Postgres(folder=tmp_path / "postgres", port=free_port())
    with running(server.service(), tmp_path / "log"):
        assert ask(server.url(), "SELECT 1") == 1


def a_queue_that_was_killed(folder: Path) -> tuple[Valkey, Path]:
    server = Valkey(folder=folder / "valkey", port=free_port())
    child = left_running(server.service(), folder / "log")
    with redis.Redis.from_url(server.url()) as client:
        client.set("kept", "yes")
        client.config_set("appendfsync", "always")
        client.set("last", "word")
    kill(child)
    (journal,) = (folder / "valkey" / "data" / "appendonlydir").glob("*.incr.aof")
    return server, journal


def test_valkey_keeps_its_queue_over_a_kill(tmp_path: Path) -> None:
    server, _ = a_queue_that_was_killed(tmp_path)
    with running(server.service(), tmp_path / "log"), redis.Redis.from_url(server.url()) as client:
        assert client.get("last") == b"word"


def test_valkey_cuts_off_the_half_written_end_of_its_journal(tmp_path: Path) -> None:
    server, journal = a_queue_that_was_killed(tmp_path)
    journal.write_bytes(journal.read_bytes()[:-7])
    with running(server.service(), tmp_path / "log"), redis.Redis.from_url(server.url()) as client:
        assert client.get("kept") == b"yes"


def test_valkey_puts_a_journal_beyond_repair_aside(tmp_path: Path) -> None:
    server, journal = a_queue_that_was_killed(tmp_path)
    base = next(journal.parent.glob("*.base.*"))
    base.write_bytes(b"no commands at all")
    with running(server.service(), tmp_path / "log"), redis.Redis.from_url(server.url()) as client:
        assert client.dbsize() == 0
    assert list((tmp_path / "valkey").glob("damaged-*"))
