"""The sandbox as a process of its own, with a typed client for its controls: what tests start."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from .state import LAYOUTS
from .timing import Timing

_ROOT = Path(__file__).resolve().parents[2]
_START_TIMEOUT = 120.0
_CALL_TIMEOUT = 120.0


class SandboxFailed(Exception):
    """The process did not come up, or its controls refused."""


@dataclass(frozen=True)
class Admin:
    """The controls under /_sandbox of a running sandbox."""

    url: str

    def create_org(
        self,
        org: str,
        *,
        keys: Sequence[str],
        integrations: Sequence[Mapping[str, Any]] = (),
        limit: int = 90,
        window_seconds: float = 3600,
        name: str | None = None,
    ) -> dict[str, Any]:
        body = {"id": org, "name": name or org, "keys": list(keys), "limit": limit}
        more = {"window_seconds": window_seconds, "integrations": list(integrations)}
        return self._dict("POST", "orgs", json=body | more)

    def orgs(self) -> list[dict[str, Any]]:
        return self._list("GET", "orgs")

    def patch_org(self, org: str, **changes: Any) -> dict[str, Any]:
        """add_keys, limit, integrations={id: {disabled, refresh_needed, deleted}}, …"""
        return self._dict("PATCH", f"orgs/{org}", json=changes)

    def delete_org(self, org: str) -> None:
        self._dict("DELETE", f"orgs/{org}")

    def ledger(
        self, *, kind: str | None = None, since: int = 0, limit: int = 100_000
    ) -> list[dict[str, Any]]:
        params = {"kind": kind, "since": since, "limit": limit}
        return self._list("GET", "ledger", params=params)

    def sends(self, *, since: int = 0) -> list[dict[str, Any]]:
        return self._list("GET", "sends", params={"since": since})

    def parts(self) -> list[dict[str, Any]]:
        """What was sent of threads after their first parts, in order."""
        return self.ledger(kind="part")

    def posts(self) -> list[dict[str, Any]]:
        """Every root post there ever was, deleted ones too."""
        return self._list("GET", "posts")

    def stats(self) -> dict[str, Any]:
        return self._dict("GET", "stats")

    def add_fault(
        self,
        kind: str,
        *,
        route: str = "*",
        probability: float = 1.0,
        times: int | None = None,
        org: str | None = None,
        **args: Any,
    ) -> int:
        """Switch a fault on; returns its id."""
        body = {"kind": kind, "route": route, "probability": probability, "times": times}
        added = self._dict("POST", "faults", json={**body, "org": org, "args": args})
        return int(added["id"])

    def faults(self) -> list[dict[str, Any]]:
        return self._list("GET", "faults")

    def remove_fault(self, fault: int) -> None:
        self._dict("DELETE", f"faults/{fault}")

    def clear_faults(self) -> None:
        self._dict("DELETE", "faults")

    def change_timing(self, **values: Any) -> None:
        """From now until `reset` or a restart; what already waits goes on waiting as before."""
        self._dict("PATCH", "timing", json=values)

    def reset(self) -> None:
        """Empty posts, media, notifications, ledger and budgets, and bring the timing back.

        Organizations and faults stay.
        """
        self._dict("POST", "reset")

    def _dict(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._call(method, path, **more)
        return answer

    def _list(self, method: str, path: str, **more: Any) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self._call(method, path, **more)
        return answer

    def _call(self, method: str, path: str, **more: Any) -> Any:
        address = f"{self.url}/_sandbox/{path}"
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the user has no way to our loopback address
            response = session.request(method, address, timeout=_CALL_TIMEOUT, **more)
        if not response.ok:
            raise SandboxFailed(f"{method} {address}: {response.status_code} {response.text}")
        return response.json()


class SandboxProcess:
    """A running sandbox. Its state stays in `data_dir`, so that it can be killed and restarted."""

    def __init__(self, data_dir: Path, arguments: Sequence[str], *, port: int, layout: str) -> None:
        self.data_dir = data_dir
        self._arguments = list(arguments)
        self._layout = layout
        self._port = port
        self._process = self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def api_url(self) -> str:
        return f"{self.url}{LAYOUTS[self._layout]}"

    @property
    def admin(self) -> Admin:
        return Admin(self.url)

    def _start(self) -> subprocess.Popen[str]:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "local.sandbox", "--data", str(self.data_dir)]
        command += ["--port", str(self._port), *self._arguments]
        with (self.data_dir / "sandbox.log").open("a") as log:
            process = subprocess.Popen(
                command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.url = self._read_url(process)
        self._port = int(self.url.rpartition(":")[2])
        return process

    def _read_url(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            process.kill()
            process.wait()
            log = (self.data_dir / "sandbox.log").read_text()[-2000:]
            raise SandboxFailed(f"the sandbox did not start: {line} {log}")
        return line.removeprefix("listening on ").strip()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.kill(self._process.pid, number)
        self._process.wait(timeout=_START_TIMEOUT)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def restart(self) -> None:
        """Start again, on the same port and data, after stop() or kill()."""
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_sandbox(
    data_dir: Path,
    *,
    port: int = 0,
    timing: Timing | None = None,
    layout: str = "source",
    seed: Sequence[Mapping[str, Any]] | None = None,
    random_seed: int | None = None,
    allow_private_urls: bool = False,
) -> SandboxProcess:
    """Start a sandbox and return once it listens. `port` 0 takes a free one."""
    arguments = ["--layout", layout]
    if timing is not None:
        arguments += ["--timing", json.dumps(asdict(timing))]
    if seed is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
        path = data_dir / "seed.json"
        path.write_text(json.dumps(list(seed)))
        arguments += ["--seed", str(path)]
    if random_seed is not None:
        arguments += ["--seed-random", str(random_seed)]
    if allow_private_urls:
        arguments.append("--allow-private-urls")
    return SandboxProcess(data_dir, arguments, port=port, layout=layout)


def wait_for(condition: Callable[[], bool], *, seconds: float = 300.0, every: float = 0.05) -> None:
    """Return once the condition holds; raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {seconds} s")
        time.sleep(every)
