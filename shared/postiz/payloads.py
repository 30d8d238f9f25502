"""The content of a counted call: its posts as JSON, and their size in bytes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RemoteMedia:
    id: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Element:
    """One post of a counted call. `images`: ids and paths from the answers to the uploads."""

    integration_id: str
    content: str
    settings: Mapping[str, Any]
    images: Sequence[RemoteMedia] = ()
    postiz_id: str | None = None  # of an existing post that is to be changed in place

    def as_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {
            "content": self.content,
            "image": [{"id": image.id, "path": image.path} for image in self.images],
        }
        if self.postiz_id:
            value["id"] = self.postiz_id
        return {
            "integration": {"id": self.integration_id},
            "settings": dict(self.settings),
            "value": [value],
        }

    @cached_property
    def size(self) -> int:
        """Its bytes in a call, including the comma after it."""
        return len(encode_json(self.as_json())) + 1


def encode_json(body: Any) -> bytes:
    """Compact JSON as UTF-8: with escapes, a caption could be three times as long."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def format_time(moment: datetime) -> str:
    """The form of Postiz's times: UTC, with milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + (
        f"{moment.microsecond // 1000:03d}Z"
    )


def call_body(kind: str, date: datetime, elements: Sequence[Element]) -> dict[str, Any]:
    """The JSON of a counted call."""
    return {
        "type": kind,
        "date": format_time(date),
        "shortLink": False,
        "tags": [],
        "posts": [element.as_json() for element in elements],
    }
