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


def write_marks(stack: RunningStack) -> None:
    with psycopg2.connect(stack.facts()["database_url"]) as connection:
        connection.cursor().execute("CREATE TABLE mark AS SELECT 42 AS answer")
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


def test_down_leaves_no_process_and_the_next_up_finds_everything(
    start_stack: Start, tmp_path: Path
) -> None:
    first = start_stack(tmp_path / "home")
    write_marks(first)
    key, secret_keys = first.facts()["admin_key"], (first.home / "secret_keys").read_text()
    family = first.family()
    done = first.command("down")
    assert done.returncode == 0, done.stderr
    assert "stopped" in done.stdout
    assert first.supervisor.wait(timeout=PATIENCE) == 0
    assert still_running(family) == []
    assert first.facts()["processes"] == {}

    second = start_stack(tmp_path / "home")
    assert second.facts()["admin_key"] == key
    assert (second.home / "secret_keys").read_text() == secret_keys
    assert read_marks(second) == [42, b"42"]


def test_the_stack_of_a_killed_supervisor_is_taken_over(start_stack: Start, tmp_path: Path) -> None:
    killed = start_stack(tmp_path / "home")
    write_marks(killed)
    key, family = killed.facts()["admin_key"], killed.family()
    os.kill(killed.supervisor.pid, signal.SIGKILL)
    killed.supervisor.wait()

    after = start_stack(tmp_path / "home")
    assert still_running(family) == []
    assert after.facts()["admin_key"] == key
    assert read_marks(after)[0] == 42
    wait_until(after.is_ready, after.output)


def test_down_ends_what_a_killed_supervisor_left(start_stack: Start, tmp_path: Path) -> None:
    killed = start_stack(tmp_path / "home", PRESSROOM_SANDBOX="0")
    family = killed.family()
    os.kill(killed.supervisor.pid, signal.SIGKILL)
    killed.supervisor.wait()
    assert killed.command("down").returncode == 0
    wait_until(lambda: still_running(family) == [], lambda: str(still_running(family)))
    assert killed.facts()["processes"] == {}


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


def test_without_the_sandbox_and_with_more_children(start_stack: Start, tmp_path: Path) -> None:
    stack = start_stack(tmp_path / "home", PRESSROOM_SANDBOX="0", PRESSROOM_CONCURRENCY="4")
    assert stack.facts()["sandbox_url"] is None
    assert "sandbox" not in stack.facts()["processes"]
    assert "starting Valkey and PostgreSQL in" in stack.output()
    assert "the sandbox" not in stack.output()
    wait_until(lambda: len(stack.pids("worker")) == 2 * (1 + 4) + (1 + 2), stack.output)


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
