"""The HTTP API as a test calls it: the real application, in this process, on real servers."""

import contextlib
import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from sqlalchemy import func, select
from werkzeug.test import TestResponse

from shared.access import api_keys
from shared.config import Settings
from shared.models import Base, Post
from tests.servers.emptied import empty_tables
from web.app import create_app
from web.services import Services

PREFIX = "/api/v1"
#: What is at the root, and not below the prefix.
NOT_OF_API = ("/health", "/docs", "/llms.txt", "/openapi", "/metrics", "/public/", "/api/public/")
ADMIN_KEY = "pr_the-admin-key-of-the-tests"


class Reply(TestResponse):
    """What came back. Each test knows the shape of its JSON; `None` stands for what is no JSON."""

    json: Any


class Api:
    """Calls as the holder of `key`; `profile` goes into the header that names it."""

    def __init__(self, settings: Settings) -> None:
        self.services = Services.start(settings)
        self.app = create_app(parts=self.services)
        self.home = Path(settings.media_url.removeprefix("file://"))
        self.empty()

    def empty(self) -> None:
        """Back to the beginning: no rows but the admin key, no files, no publishers."""
        with self.services.database.transaction() as session:
            empty_tables(session.connection())
            api_keys.install_admin_key(session, ADMIN_KEY)
        shutil.rmtree(self.home, ignore_errors=True)
        self.services.publishers.reset()
        self.services.known_lists.reset()

    def close(self) -> None:
        self.services.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = ADMIN_KEY,
        profile: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Reply:
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        if profile is not None:
            sent["X-Profile-Id"] = profile
        url = path if path.startswith(NOT_OF_API) else PREFIX + path
        reply = self.app.test_client().open(url, method=method, headers=sent, **more)
        return cast(Reply, reply)

    def get(self, path: str, **more: Any) -> Reply:
        return self.call("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> Reply:
        return self.call("POST", path, json={} if json is None else json, **more)

    def upload(self, content: bytes, *, name: str = "a.png", **more: Any) -> Reply:
        data = {"file": (io.BytesIO(content), name), **more.pop("fields", {})}
        return self.call("POST", "/postiz/upload", data=data, **more)

    def download(self, path: str, **more: Any) -> bytes:
        """The body of a file; the answer is closed, as a server closes it."""
        with contextlib.closing(self.get(path, **more)) as reply:
            assert reply.status_code in {200, 206}, reply.text
            content: bytes = reply.data
            return content

    def key(self, *scopes: str, profiles: list[str] | None = None) -> str:
        body = {"name": "a key", "scopes": list(scopes), "profile_ids": profiles}
        made = self.post("/keys", body)
        assert made.status_code == 201, made.text
        return str(made.json["key"])

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        with self.services.database.transaction() as session:
            return {
                table.name: session.scalar(select(func.count()).select_from(table)) or 0
                for table in Base.metadata.sorted_tables
            }

    def posts(self) -> list[Post]:
        with self.services.database.transaction() as session:
            return list(session.scalars(select(Post).order_by(Post.id)))

    def files(self) -> list[Path]:
        """Every file below the storage's folder."""
        return sorted(path for path in self.home.rglob("*") if path.is_file())
