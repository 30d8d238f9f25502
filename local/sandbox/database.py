"""The sandbox's SQLite file: its tables, and a connection whose every statement is kept at once."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orgs (
    id TEXT PRIMARY KEY, name TEXT, call_limit INTEGER, window_seconds REAL, subscribed INTEGER);
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, org TEXT, label TEXT, revoked INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS integrations (
    id TEXT PRIMARY KEY, org TEXT, name TEXT, identifier TEXT, picture TEXT, profile TEXT,
    disabled INTEGER, refresh_needed INTEGER, customer TEXT, deleted INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS budgets (
    org TEXT PRIMARY KEY, hits INTEGER, window_ends REAL, block_ends REAL, counted INTEGER,
    refused INTEGER, trips INTEGER);
CREATE TABLE IF NOT EXISTS posts (
    id TEXT PRIMARY KEY, org TEXT, integration TEXT, grp TEXT, parent TEXT, position INTEGER,
    content TEXT, image TEXT, settings TEXT, tags TEXT, date_ms INTEGER, state TEXT,
    release_url TEXT, error TEXT, interval INTEGER, created_at REAL, deleted_at REAL,
    delay REAL DEFAULT 0);
CREATE INDEX IF NOT EXISTS posts_by_date ON posts (org, date_ms);
CREATE INDEX IF NOT EXISTS posts_by_group ON posts (org, grp);
CREATE INDEX IF NOT EXISTS posts_by_parent ON posts (parent);
CREATE TABLE IF NOT EXISTS workflows (post TEXT PRIMARY KEY, run TEXT, phase TEXT);
CREATE TABLE IF NOT EXISTS notifications (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, org TEXT, content TEXT, created_at REAL);
CREATE TABLE IF NOT EXISTS media (
    id TEXT PRIMARY KEY, org TEXT, name TEXT, path TEXT, mime TEXT, size INTEGER, sha256 TEXT,
    created_at REAL);
CREATE TABLE IF NOT EXISTS faults (id INTEGER PRIMARY KEY AUTOINCREMENT, spec TEXT);
CREATE TABLE IF NOT EXISTS ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL, kind TEXT, org TEXT, data TEXT);
CREATE INDEX IF NOT EXISTS ledger_by_kind ON ledger (kind, seq);
"""


class Database:
    """Survives a killed process: a statement that has returned is in the file."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.executescript(_SCHEMA)
        self._add_what_an_older_file_lacks()

    def _add_what_an_older_file_lacks(self) -> None:
        columns = {row["name"] for row in self.rows("PRAGMA table_info(integrations)")}
        if "deleted" not in columns:
            self.run("ALTER TABLE integrations ADD COLUMN deleted INTEGER DEFAULT 0")
        columns = {row["name"] for row in self.rows("PRAGMA table_info(posts)")}
        if "delay" not in columns:
            self.run("ALTER TABLE posts ADD COLUMN delay REAL DEFAULT 0")

    def run(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
