"""Bulkhead: an account that hangs takes some of a pool's children with it, and never all of them.

Each child says in a file which account it serves. A child turns an account away when too many
others serve it, or when it answers badly and others that do already have their half of the pool;
what was turned away is looked at again within a second. Long calls, which create hundreds of posts,
never take the last child: what is due in the meantime is released by it.

A child writes its file before it looks at the others', and takes it back if it is one too many. So
of children that come at once each sees the others, and no lock is needed, which one that freezes
would keep from all of them.
"""

import fcntl
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import psutil
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db import Database
from shared.models import Account

#: When so many accounts of one server answer badly, it is the server.
MANY = 3
#: So often a child asks that met others asking, after a pause of some milliseconds (seconds).
TRIES = 8
LONGEST_PAUSE = 0.02
WATCH = "watch"


@dataclass(frozen=True)
class Served:
    """What one child is busy with."""

    account_id: int
    suspect: bool
    long: bool = False
    asks: bool = False  # it has not yet seen whether it may


def may_serve(served: list[Served], wanted: Served, *, children: int) -> bool:
    """Whether one more child may serve `wanted`, given what the other children serve."""
    same_account = sum(child.account_id == wanted.account_id for child in served)
    long_calls = sum(child.long for child in served)
    if same_account >= max(1, children - 1) or (wanted.long and long_calls >= max(1, children - 1)):
        return False
    suspects = sum(child.suspect for child in served)
    return not wanted.suspect or suspects < max(1, children // 2)


def pool_folder(parent: int) -> Path:
    """Where the children of the process `parent` write what they serve."""
    return Path(tempfile.gettempdir()) / f"pressroom-pool-{parent}"


class Bulkhead:
    """Of one pool: the children of one parent process."""

    def __init__(self, children: int, folder: Path | None = None) -> None:
        self.children = children
        self._folder = folder or pool_folder(os.getppid())

    @contextmanager
    def place(
        self,
        database: Database,
        account_id: int,
        *,
        long: bool = False,
        suspect: bool | None = None,
    ) -> Iterator[bool]:
        """Whether this child may serve the account now; it is counted as served meanwhile.

        `suspect`: whether it answered badly, where the caller knows.
        """
        if suspect is None:
            suspect = _is_suspect(database, account_id)
        wanted = Served(account_id=account_id, suspect=suspect, long=long)
        try:
            yield self._claim_place(wanted)
        finally:
            self._own_file.unlink(missing_ok=True)

    def _claim_place(self, wanted: Served) -> bool:
        """Whether we serve it from now on. Children that ask at once make way, and ask again."""
        for _ in range(TRIES):
            self._write_own_file(replace(wanted, asks=True))
            others = self._read_others()
            if may_serve(others, wanted, children=self.children):
                self._write_own_file(wanted)
                return True
            self._own_file.unlink(missing_ok=True)
            if not may_serve(
                [child for child in others if not child.asks], wanted, children=self.children
            ):
                return False
            time.sleep(random.uniform(0.0, LONGEST_PAUSE))  # noqa: S311 (chance, not secrecy)
        return False

    @property
    def _own_file(self) -> Path:
        return self._folder / str(os.getpid())

    def _write_own_file(self, served: Served) -> None:
        """All of it at once: a half could be read, and counted for nothing."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        partial_file = self._folder / f".{os.getpid()}"
        partial_file.write_text(" ".join(str(int(part)) for part in astuple(served)))
        partial_file.replace(self._own_file)

    @contextmanager
    def leader_lock(self, name: str = WATCH) -> Iterator[bool]:
        """Whether this child alone keeps this watch: looks after what only one needs to."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with (self._folder / name).open("w") as lock:  # given back by the system if we die
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _read_others(self) -> list[Served]:
        """What the other children serve; the file of one that was killed counts for nothing."""
        others = []
        for path in self._folder.glob("[0-9]*") if self._folder.exists() else ():
            if path.name == str(os.getpid()) or not _is_sibling(int(path.name)):
                continue
            try:
                numbers = path.read_text().split()
            except FileNotFoundError:
                continue  # it has just finished
            if len(numbers) == len(fields(Served)):
                account_id, *flags = map(int, numbers)
                others.append(Served(account_id, *map(bool, flags)))
        return others


def _is_sibling(pid: int) -> bool:
    """Whether it lives, and is of this pool: a dead child's number is some other process's soon."""
    try:
        return psutil.Process(pid).ppid() == os.getppid()
    except psutil.NoSuchProcess:
        return False


def suspect_servers(session: Session) -> set[str]:
    """The servers of which many accounts answered badly last."""
    failing = select(Account.server).where(Account.failures > 0).group_by(Account.server)
    return set(session.scalars(failing.having(func.count() >= MANY)))


def _is_suspect(database: Database, account_id: int) -> bool:
    """Whether the account answered badly last, or many on its server did."""
    with database.transaction() as session:
        found = select(Account.failures, Account.server).where(Account.id == account_id)
        failures, server = session.execute(found).one()
        return failures > 0 or server in suspect_servers(session)
