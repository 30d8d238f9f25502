"""The ledger: everything that reached the sandbox and everything it did, in one sequence."""

import json
from collections.abc import Callable
from typing import Any

from .database import Database, dump


class Ledger:
    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def add(self, kind: str, org: str | None, **data: Any) -> int:
        """Note what happened now; returns its number."""
        sql = "INSERT INTO ledger (time, kind, org, data) VALUES (?, ?, ?, ?)"
        number = self._database.run(sql, self._clock(), kind, org, dump(data)).lastrowid
        assert number is not None
        return number

    def complete(self, number: int, **data: Any) -> None:
        """Add to an entry what became known later, such as the status answered."""
        sql = "UPDATE ledger SET data = json_patch(data, ?) WHERE seq = ?"
        patch = {key: value for key, value in data.items() if value is not None}
        self._database.run(sql, dump(patch), number)

    def entries(
        self, *, kind: str | None = None, since: int = 0, limit: int = 100_000
    ) -> list[dict[str, Any]]:
        """Entries with a number above `since`, oldest first."""
        sql = """SELECT * FROM ledger WHERE seq > ?1 AND (?2 IS NULL OR kind = ?2)
                 ORDER BY seq LIMIT ?3"""
        return [_entry(row) for row in self._database.rows(sql, since, kind, limit)]

    def latest(self, limit: int, *, kind: str) -> list[dict[str, Any]]:
        sql = "SELECT * FROM ledger WHERE kind = ? ORDER BY seq DESC LIMIT ?"
        return [_entry(row) for row in self._database.rows(sql, kind, limit)]

    def counts(self) -> dict[str, int]:
        rows = self._database.rows("SELECT kind, count(*) AS number FROM ledger GROUP BY kind")
        return {row["kind"]: row["number"] for row in rows}

    def clear(self) -> None:
        self._database.run("DELETE FROM ledger")


def _entry(row: Any) -> dict[str, Any]:
    data = json.loads(row["data"])
    return {
        "seq": row["seq"],
        "time": row["time"],
        "kind": row["kind"],
        "org": row["org"],
        **data,
    }
