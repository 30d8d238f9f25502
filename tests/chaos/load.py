"""The load: bulks over HTTP, of every kind, and what the API accepted of them."""

import random
import struct
import threading
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tests.chaos.cast import Member
from tests.chaos.client import Client
from tests.chaos.threads import thread_fields

LOADERS = 3
#: A run of so many seconds has time for parts that come a minute later.
LONG = 120.0
#: One bulk of so many asks for approval: see approvers.py.
ONE_OF = 5
KINDS = ("immediate", "spread", "calendar", "auto", "tomorrow")
WEIGHTS = (30, 42, 18, 9, 1)


class Wanted(NamedTuple):
    """A post that was accepted; no other has its content."""

    org: str
    integration: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """`at`: when it is sent, in seconds from the run's begin."""

    member: Member
    number: int
    kind: str
    at: float
    size: int
    images: int
    seed: str
    delay: int  # minutes before the last part of a thread


@dataclass
class Accepted:
    posts: list[Wanted] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    images: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def plan(rng: random.Random, cast: Sequence[Member], *, posts: int, seconds: float) -> list[Bulk]:
    """Bulks of 5 to 60 posts over the first 60 % of the run, in the order of their times."""
    bulks: list[Bulk] = []
    for index, member in enumerate(cast):
        left = posts // len(cast) + (index < posts % len(cast))
        while left:
            size = min(left, rng.randint(5, 60))
            left -= size
            [kind] = rng.choices(KINDS, WEIGHTS)
            bulks.append(
                Bulk(
                    member=member,
                    number=len(bulks),
                    kind=kind,
                    at=rng.uniform(0, 0.6 * seconds),
                    size=min(size, 5) if kind == "tomorrow" else size,
                    images=rng.choice((0, 0, 1, 2)),
                    seed=f"{rng.random()}",
                    delay=int(seconds >= LONG),
                )
            )
            left += size - bulks[-1].size
    return sorted(bulks, key=lambda bulk: bulk.at)


def run(client: Client, bulks: Sequence[Bulk], accepted: Accepted, *, seconds: float) -> None:
    """Send each bulk at its time; a few at once."""
    began = time.monotonic()

    def send(bulk: Bulk) -> None:
        time.sleep(max(0.0, began + bulk.at - time.monotonic()))
        _send(client, bulk, accepted, left=began + seconds - time.monotonic())

    with ThreadPoolExecutor(LOADERS) as pool:
        for done in [pool.submit(send, bulk) for bulk in bulks]:
            done.result()


def _send(client: Client, bulk: Bulk, accepted: Accepted, *, left: float) -> None:
    rng = random.Random(bulk.seed)
    media = [_upload(client, bulk, number) for number in range(bulk.images)]
    contents = [f"bulk {bulk.number:04d} clip {index:03d}" for index in range(bulk.size)]
    integration = rng.choice(bulk.member.integrations)
    below = [] if integration.endswith("linkedin") else media  # its comments show none
    body = _body(rng, bulk, contents, media, below, left=left) | {"integration_ids": [integration]}
    once = f"bulk-{bulk.number}"
    with bulk.member.lock:  # its own organization has those channels, and no other
        reply = client.insist(
            "POST", "/postiz/bulk-publish", profile=bulk.member.profile, once=once, json=body
        )
    with accepted.lock:
        accepted.jobs.append(reply["job"]["id"])
        accepted.images += len(media)
        accepted.posts += [Wanted(bulk.member.org, integration, each) for each in contents]


def _body(
    rng: random.Random,
    bulk: Bulk,
    contents: Sequence[str],
    media: Sequence[str],
    below: Sequence[str],
    *,
    left: float,
) -> dict[str, Any]:
    """`below`: the media that a part of a thread may have."""
    body: dict[str, Any] = {"schedule_interval_minutes": 0}
    if bulk.number % ONE_OF == 0:
        body["requires_approval"] = True
    items: list[dict[str, Any]] = [
        {"caption": content, **thread_fields(index, content, below, delay=bulk.delay)}
        for index, content in enumerate(contents)
    ]
    for index, item in enumerate(items):
        if media and index % 3 == 0:
            item["media_ids"] = [rng.choice(media)]
    latest = max(12.0, left)
    match bulk.kind:
        case "immediate":
            body["handoff"] = "staged"
        case "spread":
            body["handoff"] = "staged"
            for item in items:
                item["schedule_date"] = _in(rng.uniform(1, latest))
        case "calendar":
            body["handoff"] = "calendar"
            times = [_in(rng.uniform(10, latest)) for _ in range(3)]
            for item in items:
                item["schedule_date"] = rng.choice(times)
        case "tomorrow":
            body |= {"handoff": "calendar", "schedule_date": _in(24 * 3600)}
    return body | {"items": items}


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def _upload(client: Client, bulk: Bulk, number: int) -> str:
    once = f"image-{bulk.number}-{number}"
    files = {"file": ("a.png", png(once.encode()), "image/png")}
    reply = client.insist(
        "POST", "/postiz/upload", profile=bulk.member.profile, once=once, files=files
    )
    found: str = reply["media"]["id"]
    return found


def png(comment: bytes) -> bytes:
    """An image of one pixel that no other comment has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0\0")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data)
        for kind, data in (
            (b"IHDR", header),
            (b"tEXt", b"Comment\0" + comment),
            (b"IDAT", pixels),
            (b"IEND", b""),
        )
    )
