"""A big file through the whole stack: how fast each leg is, and what memory it takes.

The measure is a direct upload to the same sandbox, streamed, in the same run.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests
from requests_toolbelt import MultipartEncoder

from local.sandbox.process import Admin
from tests.factories.files import FILES
from tests.servers.api import PREFIX
from tests.servers.stacks import RunningStack
from tests.timing.patience import wait_until

MIB = 1024**2
KEY = "sandbox-demo-key"
LONG = 600.0


def big_video(path: Path, size: int) -> Path:
    """A real video with a box behind it that players pass over."""
    head = FILES.mp4()
    box = size - len(head)
    path.write_bytes(head + (box if box < 2**32 else 0).to_bytes(4, "big") + b"free")
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def send(url: str, path: Path, headers: dict[str, str]) -> requests.Response:
    with path.open("rb") as file:
        form = MultipartEncoder({"file": ("clip.mp4", file, "video/mp4")})
        reply = requests.post(
            url, data=form, headers={**headers, "Content-Type": form.content_type}, timeout=LONG
        )
    assert reply.ok, reply.text
    return reply


class Memory:
    """By how many bytes each process grew at most: above what it held at the beginning."""

    def __init__(self, pids: dict[str, list[int]]) -> None:
        self._processes = [
            (f"{role} {pid}", psutil.Process(pid)) for role, each in pids.items() for pid in each
        ]
        self._first = self._now()
        self.growth = dict.fromkeys(self._first, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _now(self) -> dict[str, int]:
        return {name: process.memory_info().rss for name, process in self._processes}

    def _look(self) -> None:
        while not self._over.wait(0.1):
            for name, held in self._now().items():
                self.growth[name] = max(self.growth[name], held - self._first[name])

    @contextmanager
    def watched(self) -> Iterator[None]:
        self._thread.start()
        yield
        self._over.set()
        self._thread.join()

    @property
    def most(self) -> int:
        return max(self.growth.values())


@dataclass(kw_only=True)
class Measured:
    """Bytes in a second."""

    direct: float
    into_storage: float
    to_postiz: float
    memory: Memory

    @property
    def both_ways(self) -> float:
        """In, and then on to Postiz."""
        return 1 / (1 / self.into_storage + 1 / self.to_postiz)

    def __str__(self) -> str:
        name = max(self.memory.growth, key=lambda each: self.memory.growth[each])
        return (
            f"direct {self.direct / MIB:.0f} MiB/s; "
            f"through web to storage {self.into_storage / MIB:.0f} "
            f"({self.into_storage / self.direct:.2f}); "
            f"from storage to Postiz {self.to_postiz / MIB:.0f} "
            f"({self.to_postiz / self.direct:.2f}); "
            f"one after the other {self.both_ways / MIB:.0f} "
            f"({self.both_ways / self.direct:.2f}); "
            f"most memory: {self.memory.most / MIB:.1f} MiB ({name})"
        )


@dataclass
class Press:
    """A stack with a profile, and all it does at its first upload behind it."""

    stack: RunningStack

    def __post_init__(self) -> None:
        facts = self.stack.facts()
        self.sandbox = Admin(facts["sandbox_url"])
        self.url = facts["web_url"] + PREFIX
        self.headers = {"Authorization": f"Bearer {facts['admin_key']}", "X-Profile-Id": "big"}
        postiz = {"api_url": facts["sandbox_url"], "api_key": KEY}
        body = {"id": "big", "name": "Big", "tts_settings": {"postiz": postiz}}
        made = requests.post(f"{self.url}/profiles", json=body, headers=self.headers, timeout=LONG)
        assert made.status_code in {201, 409}, made.text

    def upload(self, path: Path) -> tuple[float, dict[str, Any]]:
        """Seconds until it was in the storage, and the job."""
        began = time.monotonic()
        job = send(f"{self.url}/postiz/upload", path, self.headers).json()["job"]
        return time.monotonic() - began, job

    def arrived(self, job: dict[str, Any]) -> float:
        """Waits until Postiz has it; how many seconds the call took."""

        def done() -> bool:
            url = f"{self.url}/jobs/{job['id']}"
            shown = requests.get(url, headers=self.headers, timeout=LONG).json()
            return bool(shown["state"] == "completed")

        wait_until(done)
        return self._last_call()

    def direct(self, path: Path) -> float:
        url = f"{self.stack.facts()['sandbox_url']}/public/v1/upload"
        send(url, path, {"Authorization": KEY})
        return self._last_call()

    def _last_call(self) -> float:
        calls = self.sandbox.ledger(kind="request")
        last = [each for each in calls if each["route"] == "POST /upload"][-1]
        return float(last["finished"] - last["time"])


def measure(stack: RunningStack, folder: Path, size: int, *, rounds: int = 1) -> Measured:
    """The best of `rounds` of each leg: what else the machine does slows them alike, but not at
    the same moment."""
    press = Press(stack)
    for number in range(4):  # so that each process has done it once, most likely
        small = big_video(folder / "small.mp4", 2 * MIB + number)
        press.arrived(press.upload(small)[1])
    big = [big_video(folder / f"big-{number}.mp4", size - number) for number in range(rounds)]
    direct = [press.direct(path) for path in big]
    into_storage, to_postiz = [], []
    wait_until(lambda: all(map(psutil.pid_exists, stack.pids())))  # one may just be replaced
    memory = Memory({role: stack.pids(role) for role in ("web", "worker", "sandbox")})
    with memory.watched():
        for path in big:
            seconds, job = press.upload(path)
            into_storage.append(seconds)
            to_postiz.append(press.arrived(job))
    return Measured(
        direct=size / min(direct),
        into_storage=size / min(into_storage),
        to_postiz=size / min(to_postiz),
        memory=memory,
    )
