"""Starting, stopping and crashing: nothing is left behind, and nothing is lost."""

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from local.ports import free_port
from tests.servers.stacks import RunningStack, starting_stacks, still_running
from tests.timing.patience import PATIENCE, wait_until

Start = Callable[..., RunningStack]


def write_mark_of_postgres(stack: RunningStack) -> None:
    with psycopg2.connect(stack.facts()["database_url"]) as connection:
        connection.cursor().execute("CREATE TABLE mark AS SELECT 42 AS answer")


def write_mark_of_valkey(stack: RunningStack) -> None:
    """Which writes to its disk once a second: a killed one may lose the last of them."""
    with redis.Redis.from_url(stack.facts()["redis_url"]) as client:
        client.set("mark", "42")


def read_marks(stack: RunningStack) -> list[object]:
    with psycopg2.connect(stack.facts()["database_url"]) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT answer FROM mark")
        row = cursor.fetchone()
    with redis.Redis.from_url(stack.facts()["redis_url"]) as client:
        return [row[0] if row else None, client.get("mark")]


@pytest.fixture
def start_stack() -> Iterator[Start]:
    """Ended with their test: a stack takes processor time from the others also if it is idle."""
    with starting_stacks() as start:
        yield start


def kill_supervisor(stack: RunningStack) -> list[psutil.Process]:
    """Of its stack, which goes on without it."""
    family = stack.family()
    os.kill(stack.supervisor.pid, signal.SIGKILL)
    stack.supervisor.wait()
    return family


def test_a_stack_is_killed_taken_over_stopped_and_finds_everything_again(
    start_stack: Start, tmp_path: Path
) -> None:
    killed = start_stack(tmp_path / "home")
    write_mark_of_postgres(killed)
    sandbox = killed.facts()["sandbox_url"]
    key, secret_keys = killed.facts()["admin_key"], (killed.home / "secret_keys").read_text()
    family = kill_supervisor(killed)

    heir = start_stack(tmp_path / "home")
    assert still_running(family) == []
    assert heir.facts()["admin_key"] == key
    assert heir.facts()["sandbox_url"] == sandbox, "profiles have saved it"
    assert read_marks(heir)[0] == 42
    wait_until(heir.is_ready, heir.output)
    write_mark_of_valkey(heir)
    family = heir.family()
    done = heir.command("down")
    assert done.returncode == 0, done.stderr
    assert "stopped" in done.stdout
    assert heir.supervisor.wait(timeout=PATIENCE) == 0
    assert still_running(family) == []
    assert heir.facts()["processes"] == {}

    last = start_stack(tmp_path / "home", PRESSROOM_SANDBOX="0", PRESSROOM_CONCURRENCY="4")
    assert last.facts()["admin_key"] == key
    assert (last.home / "secret_keys").read_text() == secret_keys
    assert read_marks(last) == [42, b"42"]
    check_what_it_says_without_the_sandbox(last)
    family = kill_supervisor(last)
    assert last.command("down").returncode == 0
    wait_until(lambda: still_running(family) == [], lambda: str(still_running(family)))
    assert last.facts()["processes"] == {}


def check_what_it_says_without_the_sandbox(stack: RunningStack) -> None:
    assert stack.facts()["sandbox_url"] is None
    assert "sandbox" not in stack.facts()["processes"]
    assert "starting Valkey and PostgreSQL in" in stack.output()
    assert "the sandbox" not in stack.output()
    wait_until(lambda: len(stack.pids("worker")) == 2 * (1 + 4) + (1 + 2), stack.output)


def test_down_with_nothing_running_says_so(tmp_path: Path) -> None:
    done = RunningStack(tmp_path / "home").command("down")
    assert done.returncode == 0
    assert "nothing is running" in done.stdout
    assert not (tmp_path / "home").exists()


def test_a_stop_during_the_start_is_clean(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "home")
    stack.start()
    wait_until((stack.home / "postgres" / "data" / "postmaster.pid").exists, stack.output)
    family = stack.family()
    stack.supervisor.send_signal(signal.SIGINT)
    assert stack.supervisor.wait(timeout=PATIENCE) == 0
    assert still_running(family) == []
    assert "ready" not in stack.output().split("asked to stop")[0]


def test_a_port_that_is_taken_is_named_at_once(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        refused = RunningStack(tmp_path / "home", PRESSROOM_PORT=str(port)).command("up")
    assert refused.returncode != 0
    assert f"port {port}" in refused.stderr
    assert "PRESSROOM_PORT" in refused.stderr


def test_what_cannot_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "home", PRESSROOM_CONCURRENCY="several")
    stack.start()
    assert stack.supervisor.wait(timeout=PATIENCE) == 1
    assert re.search("worker-(publish|upload) keeps ending", stack.output())
    assert "'several'" in stack.output()  # Celery's own words, out of its log
    running = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not any(str(stack.home) in " ".join(command) for command in running)
    assert not (stack.home / "stack.json").exists()


def test_a_setting_that_is_not_valid_is_named_before_anything_starts(tmp_path: Path) -> None:
    refused = RunningStack(tmp_path / "home", PRESSROOM_LOG_FORMAT="xml").command("up")
    assert refused.returncode == 1
    assert "PRESSROOM_LOG_FORMAT" in refused.stderr
