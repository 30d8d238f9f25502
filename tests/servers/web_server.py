"""The API behind its real server, gunicorn, as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from local.child import ROOT
from local.ports import free_port
from tests.servers.api import ADMIN_KEY, PREFIX
from tests.servers.settings import SECRET_KEY, UNLIMITED
from tests.timing.patience import PATIENCE, wait_until

HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}", "X-Profile-Id": "acme"}


@dataclass
class Server:
    url: str
    port: int
    media: Path
    process: "subprocess.Popen[bytes]"

    def post(self, path: str, **more: Any) -> requests.Response:
        return requests.post(self.url + path, headers=HEADERS, timeout=PATIENCE, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, headers=HEADERS, timeout=PATIENCE, **more)

    def files(self) -> list[Path]:
        return [path for path in self.media.rglob("*") if path.is_file()]


@contextmanager
def serving(database_url: str, redis_url: str, tmp_path: Path, **more: str) -> Iterator[Server]:
    """A server with a profile `acme`, whose Postiz nobody can reach.

    `more`: settings, by the names of the environment.
    """
    environ = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PRESSROOM_SECRET_KEYS": SECRET_KEY,
        "PRESSROOM_MEDIA_URL": f"file://{tmp_path}/media",
        "PRESSROOM_ADMIN_KEY": ADMIN_KEY,
        "POSTIZ_API_URL": "http://203.0.113.1",
        "POSTIZ_API_KEY": "a-key-of-nobody",
        **UNLIMITED,
        **more,
    }
    command = [sys.executable, "-m", "shared.migrate"]
    subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True)
    port = free_port()
    bind = f"127.0.0.1:{port}"
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "web/gunicorn_conf.py", "--bind", bind]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(gunicorn, cwd=ROOT, env=environ, stdout=log, stderr=log)
    found = Server(f"http://{bind}{PREFIX}", port, tmp_path / "media", process)
    try:
        wait_until(lambda: _answers(f"http://{bind}/health/live"))
        made = found.post("/profiles", json={"id": "acme", "name": "A"})
        assert made.status_code in {201, 409}, made.text  # of another server of this database
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False
