"""A running stack: what it tells its user, and that whatever dies comes back."""

import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests

from local.child import ROOT
from tests.scenarios.idle import measure_idle
from tests.servers.stacks import RunningStack, ask_each
from tests.timing.patience import wait_until

ROLES = ["web", "worker", "beat", "flower", "valkey", "postgres", "sandbox"]
POOLS = {"publish": 3, "upload": 3, "webhooks": 2}


@pytest.fixture(scope="module")
def own(
    start_stack: Callable[..., RunningStack], tmp_path_factory: pytest.TempPathFactory
) -> RunningStack:
    return start_stack(tmp_path_factory.mktemp("own") / "home", PRESSROOM_FLOWER="1")


def test_stack_json_says_all_and_to_its_owner_alone(own: RunningStack) -> None:
    assert set(own.facts()) == {
        "web_url",
        "flower_url",
        "admin_key",
        "database_url",
        "redis_url",
        "sandbox_url",
        "processes",
    }
    assert stat.S_IMODE((own.home / "stack.json").stat().st_mode) == 0o600
    assert sorted(own.facts()["processes"]) == sorted(ROLES)
    assert all(psutil.pid_exists(pid) for pid in own.pids())


def test_what_it_says_can_be_opened(own: RunningStack) -> None:
    assert "starting Valkey, PostgreSQL and the sandbox in" in own.output()
    link = f"{own.facts()['web_url']}/sign-in/link/"
    wait_until(lambda: link in own.output(), own.output)  # it is told after all else
    told = [word for word in own.output().split() if word.startswith("http")]
    assert len(told) == 4, told
    statuses = {url.split("/link/")[0]: requests.get(url, timeout=120).status_code for url in told}
    assert statuses == {
        f"{own.facts()['web_url']}/sign-in": 200,
        own.facts()["web_url"]: 200,
        own.facts()["flower_url"]: 401,
        f"{own.facts()['sandbox_url']}/public/v1": 404,
    }


def test_all_pools_are_listed_with_their_children(own: RunningStack) -> None:
    def pools() -> dict[str, int]:
        commands = [psutil.Process(pid).cmdline() for pid in own.pids("worker")]
        return {queue: sum(f"{queue}@%h" in words for words in commands) for queue in POOLS}

    listed = {queue: 1 + children for queue, children in POOLS.items()}
    wait_until(lambda: pools() == listed, lambda: str(pools()))


def test_a_stack_with_nothing_to_do_asks_little_and_wakes_nobody(own: RunningStack) -> None:
    """Beat's question each second, pulses each ten; each round is sent once a minute."""
    wait_until(own.is_ready, own.output)
    cost = measure_idle(own, 20)
    assert cost.statements < 5
    assert cost.rounds <= 3


def test_a_second_up_on_the_same_home_is_refused(own: RunningStack) -> None:
    second = own.command("up")
    assert second.returncode != 0
    assert str(own.supervisor.pid) in second.stderr
    wait_until(own.is_ready, own.output)


def test_the_admin_key_stands_in_stack_json_and_nowhere_else(own: RunningStack) -> None:
    key = own.facts()["admin_key"].encode()
    holders = [path for path in own.home.rglob("*") if path.is_file() and key in path.read_bytes()]
    assert holders == [own.home / "stack.json"]
    commands = [" ".join(words) for words in ask_each(own.family(), psutil.Process.cmdline)]
    assert not any(key.decode() in command for command in commands)
    assert key.decode() not in own.output()


def test_flower_wants_the_admin_key(own: RunningStack) -> None:
    facts = own.facts()
    for path in ("/", "/workers", "/api/workers"):
        assert requests.get(facts["flower_url"] + path, timeout=120).status_code == 401
    login = ("admin", facts["admin_key"])
    assert (
        requests.get(f"{facts['flower_url']}/workers", auth=login, timeout=120).status_code == 200
    )


@pytest.mark.parametrize("role", ROLES)
def test_what_is_killed_comes_back(own: RunningStack, role: str) -> None:
    before = own.facts()
    killed = own.pids(role)[0]
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        now = own.pids(role)
        return bool(now) and killed not in now and len(now) == len(before["processes"][role])

    wait_until(is_back, own.output)
    wait_until(own.is_ready, lambda: own.log("web"))
    after = own.facts()
    assert {**after, "processes": None} == {**before, "processes": None}


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_child_that_is_killed_is_replaced_in_stack_json(own: RunningStack, role: str) -> None:
    before = own.pids(role)
    child = psutil.Process(before[0]).children()[0].pid
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: child not in own.pids(role) and len(own.pids(role)) == len(before))
    assert own.pids(role)[0] == before[0]


def test_a_second_beat_runs_from_the_first_ones_command_line(own: RunningStack) -> None:
    first = psutil.Process(own.pids("beat")[0])
    second = subprocess.Popen(
        first.cmdline(),
        env=first.environ(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(5)
        assert second.poll() is None
        assert first.is_running()
    finally:
        second.terminate()
        second.wait()


def test_postgres_never_runs_as_root(own: RunningStack) -> None:
    assert psutil.Process(own.pids("postgres")[0]).uids().effective != 0


def test_a_log_for_each_process(own: RunningStack) -> None:
    names = {path.name for path in (own.home / "logs").glob("*.log")}
    workers = {f"worker-{pool}.log" for pool in POOLS}
    others = {f"{role}.log" for role in ROLES if role != "worker"}
    assert names >= workers | others | {"migrate.log", "stack.log"}


def test_secrets_on_disk_are_for_the_owner_alone(own: RunningStack) -> None:
    assert stat.S_IMODE(own.home.stat().st_mode) == 0o700
    secret: list[Path] = [own.home / "secret_keys", own.home / "running.json"]
    secret += [own.home / "postgres" / "password", own.home / "valkey" / "password"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
