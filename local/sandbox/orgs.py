"""Organizations: their keys, their integrations, and their budgets."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .budget import Allowed, Blocked, Budget, count
from .database import Database, dump

DEFAULT_LIMIT = 90
DEFAULT_WINDOW = 3600.0


@dataclass(frozen=True, kw_only=True)
class Org:
    id: str
    name: str
    limit: int = DEFAULT_LIMIT
    window_seconds: float = DEFAULT_WINDOW
    subscribed: bool = True


@dataclass(frozen=True, kw_only=True)
class Integration:
    id: str
    org: str
    name: str
    identifier: str
    picture: str | None = None
    profile: str = ""
    disabled: bool = False
    refresh_needed: bool = False
    customer: Mapping[str, str] | None = None
    deleted: bool = False  # shown nowhere, though what is on its way to it is still published

    def public(self) -> dict[str, Any]:
        """As GET /integrations shows it."""
        names = ("id", "name", "identifier", "picture", "disabled", "profile", "customer")
        shown = {name: value for name, value in asdict(self).items() if name in names}
        if self.customer is None:
            del shown["customer"]
        return {name: shown[name] for name in names if name in shown}


class Orgs:
    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    # organizations

    def create(self, spec: Mapping[str, Any]) -> Org:
        """An organization from {id, name, keys, limit, window_seconds, integrations, …}."""
        org = Org(
            id=spec["id"],
            name=spec.get("name", spec["id"]),
            limit=int(spec.get("limit", DEFAULT_LIMIT)),
            window_seconds=float(spec.get("window_seconds", DEFAULT_WINDOW)),
            subscribed=bool(spec.get("subscribed", True)),
        )
        if self.get(org.id):
            raise ValueError(f"organization {org.id} exists already")
        with self._database.transaction():
            self._insert(org)
            self.add_keys(org.id, spec.get("keys", []))
            self.add_integrations(org.id, spec.get("integrations", []))
        return org

    def _insert(self, org: Org) -> None:
        values = (org.id, org.name, org.limit, org.window_seconds, org.subscribed)
        self._database.run("INSERT INTO orgs VALUES (?, ?, ?, ?, ?)", *values)

    def update(self, org: Org) -> None:
        sql = "UPDATE orgs SET name=?, call_limit=?, window_seconds=?, subscribed=? WHERE id=?"
        self._database.run(sql, org.name, org.limit, org.window_seconds, org.subscribed, org.id)

    def get(self, org: str) -> Org | None:
        row = self._database.row("SELECT * FROM orgs WHERE id = ?", org)
        return _org(row) if row else None

    def all(self) -> list[Org]:
        return [_org(row) for row in self._database.rows("SELECT * FROM orgs ORDER BY rowid")]

    def delete(self, org: str) -> None:
        with self._database.transaction():
            self._database.run("DELETE FROM orgs WHERE id = ?", org)
            self._database.run("DELETE FROM keys WHERE org = ?", org)
            self._database.run("DELETE FROM integrations WHERE org = ?", org)
            self._database.run("DELETE FROM budgets WHERE org = ?", org)

    # keys

    def add_keys(self, org: str, keys: Iterable[str | Mapping[str, str]]) -> None:
        """A key is a string, or {key, label}."""
        sql = "INSERT INTO keys VALUES (?, ?, ?, 0) ON CONFLICT (key) DO UPDATE SET revoked = 0"
        first = len(self.keys(org)) + 1
        for number, entry in enumerate(keys, start=first):
            given = {"key": entry} if isinstance(entry, str) else entry
            self._database.run(sql, given["key"], org, given.get("label", f"{org}-{number}"))

    def revoke_keys(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._database.run("UPDATE keys SET revoked = 1 WHERE key = ?", key)

    def keys(self, org: str) -> list[dict[str, Any]]:
        rows = self._database.rows("SELECT key, label, revoked FROM keys WHERE org = ?", org)
        return [{**dict(row), "revoked": bool(row["revoked"])} for row in rows]

    def key_label(self, key: str) -> str | None:
        row = self._database.row("SELECT label FROM keys WHERE key = ?", key)
        return str(row["label"]) if row else None

    def by_key(self, key: str) -> Org | None:
        sql = """SELECT orgs.* FROM orgs JOIN keys ON keys.org = orgs.id
                 WHERE keys.key = ? AND NOT keys.revoked"""
        row = self._database.row(sql, key)
        return _org(row) if row else None

    # integrations

    def add_integrations(self, org: str, specs: Iterable[Mapping[str, Any]]) -> None:
        for spec in specs:
            self._save(Integration(org=org, **{"name": spec["id"], **spec}))

    def change_integration(self, org: str, integration: str, changes: Mapping[str, Any]) -> None:
        found = self.integrations(org, deleted=True)[integration]
        self._save(Integration(**{**asdict(found), **changes, "id": integration, "org": org}))

    def _save(self, item: Integration) -> None:
        values = (
            *(item.id, item.org, item.name, item.identifier, item.picture, item.profile),
            *(item.disabled, item.refresh_needed, dump(item.customer), item.deleted),
        )
        taken = self.integration(item.id)
        if taken and taken.org != item.org:
            raise ValueError(f"integration {item.id} belongs to {taken.org}")
        sql = "INSERT OR REPLACE INTO integrations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._database.run(sql, *values)

    def integration(self, integration: str) -> Integration | None:
        row = self._database.row("SELECT * FROM integrations WHERE id = ?", integration)
        return _integration(row) if row else None

    def integrations(self, org: str, *, deleted: bool = False) -> dict[str, Integration]:
        """Its channels by their ids; with `deleted` also those that are gone."""
        sql = "SELECT * FROM integrations WHERE org = ? AND deleted <= ? ORDER BY id"
        rows = self._database.rows(sql, org, deleted)
        return {row["id"]: _integration(row) for row in rows}

    # budgets

    def budget(self, org: str) -> Budget:
        row = self._database.row("SELECT * FROM budgets WHERE org = ?", org)
        return Budget(**{key: row[key] for key in row.keys() if key != "org"}) if row else Budget()  # noqa: SIM118 - a Row iterates over its values

    def count_call(self, org: Org) -> Allowed | Blocked:
        budget, verdict = count(
            self.budget(org.id), now=self._clock(), limit=org.limit, window=org.window_seconds
        )
        values = asdict(budget).values()
        self._database.run("INSERT OR REPLACE INTO budgets VALUES (?,?,?,?,?,?,?)", org.id, *values)
        return verdict

    def clear_budgets(self) -> None:
        self._database.run("DELETE FROM budgets")


def _org(row: sqlite3.Row) -> Org:
    return Org(
        id=row["id"],
        name=row["name"],
        limit=row["call_limit"],
        window_seconds=row["window_seconds"],
        subscribed=bool(row["subscribed"]),
    )


def _integration(row: sqlite3.Row) -> Integration:
    values = dict(row)
    return Integration(
        **{
            **values,
            "disabled": bool(values["disabled"]),
            "refresh_needed": bool(values["refresh_needed"]),
            "deleted": bool(values["deleted"]),
            "customer": json.loads(values["customer"]),
        }
    )
