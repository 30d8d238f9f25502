"""docker-compose.yml without Docker: each of its commands is run, and asked by its own check."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
import yaml
from cryptography.fernet import Fernet
from redis.backoff import NoBackoff
from redis.retry import Retry

from local import compose_secrets, guard, valkey
from local.child import ROOT
from local.ports import free_port
from local.postgres import Postgres
from shared.config import Settings
from tests.factories.files import FILES
from tests.servers.buckets import Bucket, running_bucket
from tests.timing.patience import PATIENCE

TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(
    re.sub(r"\$\{\w+:-([^}]*)\}", lambda found: found[1] or '""', TEXT)
)
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "pressroom"]
AWS_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
LASTING = [name for name in OURS if name != "migrate"]


class Host:
    """Stands in for the containers' host: other addresses, ports and folders, nothing else."""

    def __init__(self, folder: Path, secrets: dict[str, str]) -> None:
        self.folder = folder
        (folder / "secrets").mkdir()
        for name, content in secrets.items():
            (folder / "secrets" / name).write_text(content)
        self.chosen: dict[str, str] = {}
        self._moved = {
            "/run/secrets": str(folder / "secrets"),
            "/var/lib/pressroom": str(folder),
            "0.0.0.0": "127.0.0.1",
            "8000": str(free_port()),
            "5555": str(free_port()),
            "$$": "$",
        }

    def here(self, text: str) -> str:
        for there, here in self._moved.items():
            text = text.replace(there, here)
        return text

    def put_media_into(self, bucket: Bucket) -> None:
        """What the documentation says: two variables, and the keys in a file. And a Postiz."""
        self.chosen = {
            "PRESSROOM_MEDIA_URL": bucket.url,
            "AWS_ENDPOINT_URL": bucket.endpoint,
            "POSTIZ_API_URL": "http://203.0.113.1",
        }
        (self.folder / "secrets" / "postiz_api_key").write_text("a-key-of-nobody")
        keys = [f"{name.lower()} = {bucket.environ[name]}" for name in AWS_KEYS]
        (self.folder / "secrets" / "aws_credentials").write_text("\n".join(["[default]", *keys]))

    def environment(self, service: dict[str, Any]) -> dict[str, str]:
        """The service's own, and what a container has besides."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
        container = {"PATH": path, "HOSTNAME": socket.gethostname(), "HOME": str(self.folder)}
        container[guard.MARKS] = os.environ[guard.MARKS]
        # null: a variable that is passed on where it is set
        own = {
            name: self.here(str(value))
            for name, value in service["environment"].items()
            if value is not None
        }
        assert self.chosen.keys() <= service["environment"].keys()
        return {**container, **own, **self.chosen}

    def start(self, name: str, log: Path) -> "subprocess.Popen[bytes]":
        service = SERVICES[name]
        with log.open("wb") as output:
            return subprocess.Popen(
                [self.here(word) for word in service["command"]],
                cwd=ROOT,
                env=self.environment(service),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def check(self, name: str) -> bool:
        """What Docker would ask, as it would ask it."""
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        command = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        asked = subprocess.run(
            [self.here(word) for word in command],
            cwd=ROOT,
            env=self.environment(SERVICES[name]),
            capture_output=True,
            check=False,
        )
        return asked.returncode == 0


@pytest.fixture
def host(tmp_path: Path, postgres: Postgres, redis_url: str) -> Iterator[Host]:
    """With a database that only `migrate` has brought up to date."""
    name = f"compose_{time.time_ns()}"
    postgres.create_database(name)
    secrets = {
        "database_url": postgres.url(name),
        "redis_url": redis_url,
        "secret_keys": Fernet.generate_key().decode(),
        "admin_key": "pr_of-the-compose-test",
        "metrics_token": "of-the-compose-test",
        "oidc_client_secret": "",
        "postiz_api_key": "",
        "proxy_url": "",
        "ca": "",
        "aws_credentials": "",
    }
    there = Host(tmp_path, secrets)
    migration = there.start("migrate", tmp_path / "migrate.log")
    assert migration.wait(timeout=PATIENCE) == 0, (tmp_path / "migrate.log").read_text()
    yield there
    postgres.drop_database(name)


@contextmanager
def started(host: Host, *names: str) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """All of them at once, as Compose starts them; each by its name, once its check says so."""
    processes = {name: host.start(name, host.folder / f"{name}.log") for name in names}
    try:
        with ThreadPoolExecutor(len(names)) as threads:
            waits = [threads.submit(wait_until_healthy, host, *each) for each in processes.items()]
        for each in waits:
            each.result()
        yield processes
    finally:
        for process in processes.values():
            end(process)


def wait_until_healthy(host: Host, name: str, process: "subprocess.Popen[bytes]") -> None:
    log = host.folder / f"{name}.log"
    deadline = time.monotonic() + PATIENCE
    while not host.check(name):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(1)  # a check costs as much as it takes to start


def end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(timeout=60)  # the grace that Docker gives


def test_each_service_runs_from_its_own_settings_and_its_check_is_honest(host: Host) -> None:
    """What has not begun, or has ended while the others run, is not called well."""
    with ThreadPoolExecutor(len(LASTING)) as threads:
        assert not any(threads.map(host.check, LASTING))
    with started(host, *LASTING) as processes:
        for name, process in processes.items():
            end(process)
            assert not host.check(name), f"{name} has ended"


def test_media_lie_in_a_bucket_where_the_settings_name_one(host: Host, tmp_path: Path) -> None:
    with running_bucket(tmp_path / "bucket.log") as bucket:
        host.put_media_into(bucket)
        with started(host, "web"):
            url = f"http://127.0.0.1:{host.here('8000')}/api/v1"
            ask(f"{url}/profiles", json={"id": "acme", "name": "A"})
            uploaded = ask(f"{url}/postiz/upload", files={"file": FILES.png()})
        assert [uploaded["media"]["sha256"]] == [name.split("/")[-1] for name in bucket.names()]


def ask(url: str, **more: Any) -> Any:
    headers = {"Authorization": "Bearer pr_of-the-compose-test", "X-Profile-Id": "acme"}
    reply = requests.post(url, headers=headers, timeout=120, **more)
    assert reply.ok, reply.text
    return reply.json()


def test_the_broker_is_configured_as_ours(tmp_path: Path) -> None:
    host = Host(tmp_path, {"redis_password": "of-the-test"})
    port = free_port()
    stand_in = tmp_path / "valkey-server"
    stand_in.write_text(f'#!/bin/sh\nexec {valkey._program()} "$@" --port {port}\n')
    stand_in.chmod(0o755)
    script = host.here(SERVICES["valkey"]["command"][2])
    script = script.replace("/tmp/valkey.conf", str(tmp_path / "conf")).replace(
        "dir /data", f"dir {tmp_path}"
    )
    path = os.pathsep.join([str(tmp_path), os.defpath])
    server = subprocess.Popen(["sh", "-c", script], env={"PATH": path}, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password="of-the-test", retry=Retry(NoBackoff(), 0)) as client:
            settings = settings_of(client)
    finally:
        server.terminate()
        server.wait()
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
    }


def settings_of(client: "redis.Redis") -> dict[str | None, str | None]:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return client.config_get("appendonly", "appendfsync", "maxmemory-policy", "save")
        except redis.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_started_again_and_asked_for_its_health(name: str) -> None:
    service = SERVICES[name]
    if name == "migrate":  # it ends by itself
        assert service["restart"] == "on-failure"
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]


def test_our_services_wait_for_the_migration() -> None:
    for name in LASTING:
        waits_for = SERVICES[name]["depends_on"]
        assert waits_for["migrate"]["condition"] == "service_completed_successfully"
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_every_setting_reaches_the_processes_that_read_it() -> None:
    """One that .env names and that is not passed on would be without effect, and nobody told."""
    known = {field.alias for field in Settings.model_fields.values()}
    elsewhere = {"PRESSROOM_ADMIN_KEY", "PRESSROOM_SANDBOX_URL"}  # of migrate, and of `make up`
    of_web = {
        "PRESSROOM_PUBLIC_URL",
        "PRESSROOM_FLOWER_URL",
        "PRESSROOM_OIDC_ISSUER",
        "PRESSROOM_OIDC_CLIENT_ID",
        "PRESSROOM_OIDC_CLIENT_SECRET",
        "PRESSROOM_METRICS_TOKEN",
        "PRESSROOM_TRUSTED_PROXIES",
    }
    for name in ("web", "worker-publish", "worker-upload", "worker-webhooks"):
        given = {each.removesuffix("_FILE") for each in SERVICES[name]["environment"]}
        missing = known - given - elsewhere - (set() if name == "web" else of_web)
        assert missing == set(), name
    example = (ROOT / ".env.example").read_text()
    assert [each for each in re.findall(r"\$\{(\w+):-", TEXT) if each not in example] == []


def test_no_secret_is_in_the_file() -> None:
    secret = re.compile(r"PASSWORD|(?<!_PER_)KEY(?!S_PER_)|DATABASE_URL|REDIS_URL")
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if secret.search(name):
                assert name.endswith("_FILE")
                assert value.startswith("/run/secrets/")


def test_our_services_have_no_rights_to_spare() -> None:
    for name in OURS:
        assert "user" not in SERVICES[name]
    for name, service in SERVICES.items():
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["pids_limit"]
        if name != "postgres":  # which changes its user, and its files
            assert service["cap_drop"] == ["ALL"]
            assert service["read_only"]
    assert all(SERVICES[name]["mem_limit"] for name in OURS)
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^USER (\w+)$", dockerfile, re.MULTILINE) == ["pressroom"]


def test_only_the_gateway_is_published_beyond_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"gateway", "web", "flower"}
    for name in ("web", "flower"):
        assert all(port.startswith("127.0.0.1:") for port in published[name])


def test_what_holds_the_data_is_reached_only_from_inside() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    networks = {name: service["networks"] for name, service in SERVICES.items()}
    for name in ("postgres", "valkey", "migrate", "beat"):
        assert networks[name] == ["inside"]
    assert networks["gateway"] == ["outside"]


def test_credentials_are_only_where_they_are_used() -> None:
    callers = {"web", "worker-publish", "worker-upload", "worker-webhooks"}
    for secret in ("secret_keys", "postiz_api_key", "proxy_url", "aws_credentials"):
        assert {name for name, service in SERVICES.items() if has(service, secret)} == callers
    for service in SERVICES.values():
        files = [
            value.removeprefix("/run/secrets/")
            for value in service.get("environment", {}).values()
            if str(value).startswith("/run/secrets/")
        ]
        assert set(files) <= set(service.get("secrets", ()))


def has(service: dict[str, Any], secret: str) -> bool:
    return secret in service.get("secrets", ())


def test_the_image_and_the_file_start_web_alike() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    command = re.search(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert command is not None
    assert yaml.safe_load(command.group(1)) == SERVICES["web"]["command"]


def test_make_secrets_makes_each_secret_of_the_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    compose_secrets.main()
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    assert made["postgres_password"] in made["database_url"]
    assert made["redis_password"] in made["redis_url"]
    Fernet(made["secret_keys"])
    compose_secrets.main()
    assert "nothing was changed" in capsys.readouterr().out
    for name in ("metrics_token", "database_url"):  # as after an update that needs more
        (tmp_path / "secrets" / name).unlink()
    compose_secrets.main()
    again = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert again == {**made, "metrics_token": again["metrics_token"]}
