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
class ElementPart:
    """A part of a thread after the first; Postiz waits so long after the part before it."""

    content: str
    images: Sequence[RemoteMedia] = ()
    delay_minutes: int = 0


@dataclass(frozen=True, kw_only=True)
class Element:
    """One post of a counted call. `images`: ids and paths from the answers to the uploads.

    A change in place names the first part alone: Postiz keeps the others as they are, and would
    add those that it is sent (docs/POSTIZ.md, "Threads").
    """

    integration_id: str
    content: str
    settings: Mapping[str, Any]
    images: Sequence[RemoteMedia] = ()
    parts: Sequence[ElementPart] = ()
    postiz_id: str | None = None  # of an existing post that is to be changed in place

    def as_json(self) -> dict[str, Any]:
        first = _value_json(self.content, self.images)
        if self.postiz_id:
            first["id"] = self.postiz_id
        later = [
            {**_value_json(part.content, part.images), "delay": part.delay_minutes}
            for part in self.parts
        ]
        return {
            "integration": {"id": self.integration_id},
            "settings": dict(self.settings),
            "value": [first, *later],
        }

    @cached_property
    def size(self) -> int:
        """Its bytes in a call, including the comma after it."""
        return len(encode_json(self.as_json())) + 1


def _value_json(content: str, images: Sequence[RemoteMedia]) -> dict[str, Any]:
    return {
        "content": content,
        "image": [{"id": image.id, "path": image.path} for image in images],
    }


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
