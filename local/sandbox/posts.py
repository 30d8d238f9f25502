"""Posts, media and notifications: the rows that Postiz keeps, and the queries on them."""

import json
import secrets
import sqlite3
import string
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .content import stored
from .database import Database, dump
from .dates import iso
from .validation import Element, PostCall, Value

DRAFT, QUEUE, PUBLISHED, ERROR = "DRAFT", "QUEUE", "PUBLISHED", "ERROR"

_ALPHABET = string.ascii_lowercase + string.digits
_NOTIFICATIONS_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Post:
    """A row; a later part of a thread has the first one as `parent`."""

    id: str
    org: str
    integration: str
    group: str
    parent: str | None
    content: str
    image: list[dict[str, Any]]
    settings: dict[str, Any]
    tags: list[Any]
    date_ms: int
    state: str
    release_url: str | None
    error: str | None
    interval: int | None
    created_at: float
    deleted_at: float | None
    delay: float

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None


@dataclass(frozen=True, kw_only=True)
class _Row:
    """Where a part is written, and in which state."""

    id: str
    org: str
    group: str
    state: str
    date_ms: int
    parent: str | None = None
    position: int = 0


def new_id() -> str:
    return "c" + "".join(secrets.choice(_ALPHABET) for _ in range(24))


class Posts:
    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    # writing

    def create(
        self, org: str, call: PostCall, element: Element, *, state: str, date_ms: int
    ) -> Post:
        """A new post, with its parts, in a group of its own: each part is a write of its own."""
        root = new_id()
        row = _Row(id=root, org=org, group=str(uuid.uuid4()), state=state, date_ms=date_ms)
        for position, value in enumerate(element.values):
            below = replace(row, id=new_id(), parent=root, position=position)
            self._insert(below if position else row, value, call, element)
        return self.known(root)

    def change(
        self, post: Post, call: PostCall, element: Element, *, state: str, date_ms: int
    ) -> Post:
        """Rewrite a post in place; it keeps its id, and stays deleted if it was.

        It gets another group. Its parts are neither changed nor lost: they stay in the old one, and
        those of the call are added to them.
        """
        value, *added = element.values
        group = str(uuid.uuid4())
        self._database.run(
            """UPDATE posts SET integration = ?, grp = ?, content = ?, image = ?, settings = ?,
               tags = ?, date_ms = ?, state = ?, error = NULL, interval = ? WHERE id = ?""",
            *(element.integration, group, stored(value.content), dump(value.image)),
            *(dump(element.settings), dump(_tags(call.tags)), date_ms, state, call.interval),
            post.id,
        )
        row = _Row(id="", org=post.org, group=group, state=state, date_ms=date_ms, parent=post.id)
        for position, part in enumerate(added, 1):
            self._insert(replace(row, id=new_id(), position=position), part, call, element)
        return self.known(post.id)

    def _insert(self, row: "_Row", value: Value, call: PostCall, element: Element) -> None:
        self._database.run(
            "INSERT INTO posts VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            *(row.id, row.org, element.integration, row.group, row.parent, row.position),
            *(stored(value.content), dump(value.image), dump(element.settings)),
            *(dump(_tags(call.tags)), row.date_ms, row.state, None, None, call.interval),
            *(self._clock(), None, value.delay),
        )

    def set_state(self, post: str, state: str, *, error: str | None = None) -> None:
        sql = "UPDATE posts SET state = ?, error = ? WHERE id = ?"
        self._database.run(sql, state, error, post)

    def set_published(self, post: str, release_url: str) -> None:
        sql = "UPDATE posts SET state = 'PUBLISHED', release_url = ?, error = NULL WHERE id = ?"
        self._database.run(sql, release_url, post)

    def set_settings(self, post: str, settings: dict[str, Any], date_ms: int) -> None:
        sql = "UPDATE posts SET settings = ?, date_ms = ? WHERE id = ?"
        self._database.run(sql, dump(settings), date_ms, post)

    def delete_group(self, org: str, group: str) -> list[Post]:
        """Soft-delete a whole group; returns the roots that were still alive."""
        sql = "SELECT * FROM posts WHERE org = ? AND grp = ? AND deleted_at IS NULL"
        alive = [_post(row) for row in self._database.rows(sql, org, group)]
        self._database.run(
            "UPDATE posts SET deleted_at = ? WHERE org = ? AND grp = ? AND deleted_at IS NULL",
            *(self._clock(), org, group),
        )
        return [post for post in alive if post.parent is None]

    # reading

    def get(self, post: str) -> Post | None:
        row = self._database.row("SELECT * FROM posts WHERE id = ? AND parent IS NULL", post)
        return _post(row) if row else None

    def known(self, post: str) -> Post:
        found = self.get(post)
        assert found is not None, f"post {post} was just there"
        return found

    def owned(self, org: str, post: str | None) -> Post | None:
        """The organization's own post of this id, deleted or not."""
        found = self.get(post) if post else None
        return found if found and found.org == org else None

    def parts(self, post: str) -> list[Post]:
        """Those of a thread after its first one."""
        sql = "SELECT * FROM posts WHERE parent = ? AND deleted_at IS NULL ORDER BY position, rowid"
        return [_post(row) for row in self._database.rows(sql, post)]

    def window(self, org: str, start: int, end: int) -> list[Post]:
        sql = """SELECT * FROM posts WHERE org = ? AND parent IS NULL AND deleted_at IS NULL
                 AND (date_ms BETWEEN ? AND ? OR interval IS NOT NULL)"""
        return [_post(row) for row in self._database.rows(sql, org, start, end)]

    def taken_dates(self, org: str, since: int) -> set[int]:
        sql = "SELECT date_ms FROM posts WHERE org = ? AND date_ms >= ? AND deleted_at IS NULL"
        return {row["date_ms"] for row in self._database.rows(sql, org, since)}

    def queued_between(self, start: int, end: int) -> list[Post]:
        sql = """SELECT * FROM posts WHERE state = 'QUEUE' AND parent IS NULL
                 AND deleted_at IS NULL AND date_ms BETWEEN ? AND ?"""
        return [_post(row) for row in self._database.rows(sql, start, end)]

    def all(self) -> list[Post]:
        sql = "SELECT * FROM posts WHERE parent IS NULL ORDER BY rowid"
        return [_post(row) for row in self._database.rows(sql)]

    def waiting(self, limit: int) -> list[Post]:
        """Drafts and scheduled posts, the latest created first."""
        sql = """SELECT * FROM posts WHERE parent IS NULL AND deleted_at IS NULL
                 AND state IN ('DRAFT', 'QUEUE') ORDER BY rowid DESC LIMIT ?"""
        return [_post(row) for row in self._database.rows(sql, limit)]

    def state_counts(self) -> dict[str, int]:
        sql = """SELECT CASE WHEN deleted_at IS NULL THEN state ELSE 'deleted' END AS name,
                 count(*) AS number FROM posts WHERE parent IS NULL GROUP BY name"""
        return {row["name"]: row["number"] for row in self._database.rows(sql)}

    # media and notifications

    def add_media(
        self, org: str, *, name: str, path: str, mime: str, size: int, sha256: str
    ) -> dict[str, Any]:
        """Note an upload; returns what POST /upload answers."""
        media = str(uuid.uuid4())
        values = (media, org, name, path, mime, size, sha256, self._clock())
        self._database.run("INSERT INTO media VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values)
        unset = {"originalName": None, "path": path, "thumbnail": None, "alt": None}
        return {"id": media, "name": name, **unset}

    def notify(self, org: str, content: str) -> None:
        sql = "INSERT INTO notifications (id, org, content, created_at) VALUES (?, ?, ?, ?)"
        self._database.run(sql, str(uuid.uuid4()), org, content, self._clock())

    def notifications(self, org: str, page: int) -> dict[str, Any]:
        sql = "SELECT * FROM notifications WHERE org = ? ORDER BY number DESC LIMIT ? OFFSET ?"
        start = page * _NOTIFICATIONS_PAGE
        rows = self._database.rows(sql, org, _NOTIFICATIONS_PAGE, start)
        counted = self._database.row("SELECT count(*) FROM notifications WHERE org = ?", org)
        total = counted[0] if counted else 0
        return {
            "notifications": [_notification(row) for row in rows],
            "total": total,
            "page": page,
            "limit": _NOTIFICATIONS_PAGE,
            "hasMore": start + len(rows) < total,
        }

    def clear(self) -> None:
        for table in ("posts", "media", "notifications", "workflows"):
            self._database.run(f"DELETE FROM {table}")  # noqa: S608 - names from the line above


def _tags(tags: Sequence[Any]) -> list[dict[str, Any]]:
    names = [tag.get("label") for tag in tags if isinstance(tag, dict)]
    return [{"tag": {"id": str(uuid.uuid4()), "name": name, "color": "#942828"}} for name in names]


def _notification(row: sqlite3.Row) -> dict[str, Any]:
    created = iso(int(row["created_at"] * 1000))
    return {"id": row["id"], "content": row["content"], "link": None, "createdAt": created}


def _post(row: sqlite3.Row) -> Post:
    return Post(
        id=row["id"],
        org=row["org"],
        integration=row["integration"],
        group=row["grp"],
        parent=row["parent"],
        content=row["content"],
        image=json.loads(row["image"]),
        settings=json.loads(row["settings"]),
        tags=json.loads(row["tags"]),
        date_ms=row["date_ms"],
        state=row["state"],
        release_url=row["release_url"],
        error=row["error"],
        interval=row["interval"],
        created_at=row["created_at"],
        deleted_at=row["deleted_at"],
        delay=row["delay"],
    )
