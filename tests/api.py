"""The HTTP API as a test calls it: the real application, in this process, on real servers."""

import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from cryptography.fernet import Fernet
from sqlalchemy import func, select, text
from werkzeug.test import TestResponse

from shared.access import api_keys
from shared.config import Settings, read_settings
from shared.models import Base
from web.app import create_app
from web.services import Services

PREFIX = "/api/v1"
SECRET_KEY = Fernet.generate_key().decode()
ADMIN_KEY = "pr_the-admin-key-of-the-tests"


def settings_for(database_url: str, redis_url: str, home: Path, **more: str) -> Settings:
    return read_settings(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PRESSROOM_SECRET_KEYS": SECRET_KEY,
            "PRESSROOM_MEDIA_URL": f"file://{home}/media",
            "PRESSROOM_ALLOW_PRIVATE_URLS": "1",
            **more,
        }
    )


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
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        with self.services.database.transaction() as session:
            session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
            api_keys.install_admin_key(session, ADMIN_KEY)
        shutil.rmtree(self.home, ignore_errors=True)
        self.services.publishers.reset()

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
        url = (
            path if path.startswith(("/health", "/docs", "/openapi", "/metrics")) else PREFIX + path
        )
        reply = self.app.test_client().open(url, method=method, headers=sent, **more)
        return cast(Reply, reply)

    def get(self, path: str, **more: Any) -> Reply:
        return self.call("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> Reply:
        return self.call("POST", path, json={} if json is None else json, **more)

    def upload(self, content: bytes, *, name: str = "a.png", **more: Any) -> Reply:
        data = {"file": (io.BytesIO(content), name), **more.pop("fields", {})}
        return self.call("POST", "/postiz/upload", data=data, **more)

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

    def files(self) -> list[Path]:
        """Every file below the storage's folder."""
        return sorted(path for path in self.home.rglob("*") if path.is_file())


@dataclass
class Files:
    """Real files, made on the spot."""

    made: dict[str, bytes] = field(default_factory=dict)

    def mp4(self, shade: int = 0) -> bytes:
        return self.made.setdefault(f"mp4-{shade}", _mp4(shade))

    def png(self, shade: int = 0) -> bytes:
        return self.made.setdefault(f"png-{shade}", _png(shade))


def _mp4(shade: int) -> bytes:
    target = io.BytesIO()
    with av.open(target, mode="w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 96, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame(64, 96, "rgb24")
            for plane in frame.planes:
                plane.update(bytes([(shade + number) % 256]) * plane.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def _png(shade: int) -> bytes:
    frame = av.VideoFrame(8, 6, "rgb24")
    for plane in frame.planes:
        plane.update(bytes([shade % 256]) * plane.buffer_size)
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt = 8, 6, "rgb24"
    codec.time_base = Fraction(1)
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


FILES = Files()
