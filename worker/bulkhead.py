"""Bulkhead: an account that hangs can occupy some children of a pool, but never all of them.

Each child writes into a file which account it serves. A child refuses an account if too many other
children serve it, or if the account failed recently and such accounts already occupy half of the
pool. Refused work is tried again within a second.

A child writes its own file before it reads the files of the others, and deletes it if there are too
many. So children that start at the same time see each other without a lock. A lock would block all
children if the one that holds it hangs.
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

#: If so many accounts of a server fail, the server itself is considered failing.
FAILING_ACCOUNTS = 3
#: Attempts of a child if others try at the same time, and the longest pause between them (seconds).
TRIES = 8
LONGEST_PAUSE = 0.02
LEADER_FILE = "watch"


@dataclass(frozen=True)
class Served:
    """What one child is working on. `suspect`: its account failed recently. `asks`: the child has
    not decided yet whether it may serve the account."""

    account_id: int
    suspect: bool
    asks: bool = False


def may_serve(served: list[Served], wanted: Served, *, children: int) -> bool:
    """Whether a child may serve `wanted`, given what the other children serve."""
    same_account = sum(child.account_id == wanted.account_id for child in served)
    if same_account >= max(1, children - 1):
        return False
    suspects = sum(child.suspect for child in served)
    return not wanted.suspect or suspects < max(1, children // 2)


def pool_folder(parent: int) -> Path:
    """The folder in which the children of the process `parent` write what they serve."""
    return Path(tempfile.gettempdir()) / f"pressroom-pool-{parent}"


class Bulkhead:
    """The bulkhead of one pool: the children of one parent process."""

    def __init__(self, children: int, folder: Path | None = None) -> None:
        self.children = children
        self._folder = folder or pool_folder(os.getppid())

    @contextmanager
    def place(
        self,
        database: Database,
        account_id: int,
        *,
        suspect: bool | None = None,
    ) -> Iterator[bool]:
        """Yields whether this child may serve the account now; the child is counted until the end.

        `suspect`: whether the account failed recently, if the caller knows.
        """
        if suspect is None:
            suspect = _is_suspect(database, account_id)
        wanted = Served(account_id=account_id, suspect=suspect)
        try:
            yield self._claim_place(wanted)
        finally:
            self._own_file.unlink(missing_ok=True)

    def _claim_place(self, wanted: Served) -> bool:
        """Whether we serve it from now on. Children that ask at the same time ask again later."""
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
        """Written atomically: otherwise another child could read half of it, and ignore it."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        partial_file = self._folder / f".{os.getpid()}"
        partial_file.write_text(" ".join(str(int(part)) for part in astuple(served)))
        partial_file.replace(self._own_file)

    @contextmanager
    def leader_lock(self, name: str = LEADER_FILE) -> Iterator[bool]:
        """Yields whether this child is the leader, the only one to do this work."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with (self._folder / name).open("w") as lock:  # released by the system if we die
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _read_others(self) -> list[Served]:
        """What the other children serve; files of killed children are ignored."""
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
    """Whether the process is alive and in this pool, because ids of dead processes are reused."""
    try:
        return psutil.Process(pid).ppid() == os.getppid()
    except psutil.NoSuchProcess:
        return False


def suspect_servers(session: Session) -> set[str]:
    """The servers with many accounts whose last call failed."""
    failing = select(Account.server).where(Account.failures > 0).group_by(Account.server)
    return set(session.scalars(failing.having(func.count() >= FAILING_ACCOUNTS)))


def _is_suspect(database: Database, account_id: int) -> bool:
    """Whether the account's last call failed, or those of many accounts of its server."""
    with database.transaction() as session:
        found = select(Account.failures, Account.server).where(Account.id == account_id)
        failures, server = session.execute(found).one()
        return failures > 0 or server in suspect_servers(session)
