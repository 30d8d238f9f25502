"""Bulkhead: an account that hangs takes some of a pool's children with it, and never all of them.

Each child says in a file which account it serves. A child turns an account away when too many
others serve it, or when it answers badly and others that do already have their half of the pool;
what was turned away is looked at again within a second.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import func, or_, select
from sqlalchemy.orm import aliased

from shared.db import Database
from shared.models import Account

#: When so many accounts of one server answer badly, it is the server.
MANY = 3


@dataclass(frozen=True, kw_only=True)
class Served:
    """What one child is busy with."""

    account_id: int
    suspect: bool


def admits(served: list[Served], wanted: Served, *, children: int) -> bool:
    """Whether one more child may serve `wanted`, given what the other children serve."""
    same = sum(one.account_id == wanted.account_id for one in served)
    if same >= max(1, children - 1):
        return False
    suspects = sum(one.suspect for one in served)
    return not wanted.suspect or suspects < max(1, children // 2)


def folder_of(parent: int) -> Path:
    """Where the children of the process `parent` write what they serve."""
    return Path(tempfile.gettempdir()) / f"pressroom-pool-{parent}"


class Bulkhead:
    """Of one pool: the children of one parent process."""

    def __init__(self, children: int, folder: Path | None = None) -> None:
        self._children = children
        self._folder = folder or folder_of(os.getppid())

    @contextmanager
    def place(self, database: Database, account_id: int) -> Iterator[bool]:
        """Whether this child may serve the account now; it is counted as served meanwhile."""
        wanted = Served(account_id=account_id, suspect=_is_suspect(database, account_id))
        if not admits(self._served(), wanted, children=self._children):
            yield False
            return
        mine = self._folder / str(os.getpid())
        self._folder.mkdir(mode=0o700, exist_ok=True)
        mine.write_text(f"{account_id} {int(wanted.suspect)}")
        try:
            yield True
        finally:
            mine.unlink(missing_ok=True)

    def _served(self) -> list[Served]:
        """What the other children serve; the file of one that was killed counts for nothing."""
        found = []
        for path in self._folder.glob("*") if self._folder.exists() else ():
            if path.name == str(os.getpid()) or not _is_sibling(int(path.name)):
                continue
            try:
                words = path.read_text().split()
            except FileNotFoundError:
                continue  # it has just finished
            if len(words) == 2:
                found.append(Served(account_id=int(words[0]), suspect=words[1] == "1"))
        return found


def _is_sibling(pid: int) -> bool:
    """Whether it lives, and is of this pool: a dead child's number is some other process's soon."""
    try:
        return psutil.Process(pid).ppid() == os.getppid()
    except psutil.NoSuchProcess:
        return False


def _is_suspect(database: Database, account_id: int) -> bool:
    """Whether the account answered badly last, or many on its server did."""
    neighbour = aliased(Account)
    failing = (
        select(func.count())
        .where(neighbour.server == Account.server, neighbour.failures > 0)
        .scalar_subquery()
    )
    suspect = or_(Account.failures > 0, failing >= MANY)
    with database.transaction() as session:
        query = select(Account.id).where(Account.id == account_id, suspect)
        return session.scalar(query) is not None
