"""Server-sent events of a job, read on after each break where they stopped.

Our own: what libraries on PyPI read is the format, twenty lines; what takes care is going on after
a broken line, a busy server or an hour, which they leave to their callers.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests
from urllib3.exceptions import HTTPError as _HTTPError

from cli.failures import LineBroken
from cli.http.answers import ApiFailure, require_success
from cli.http.api import Api
from cli.http.patience import Patience

#: Seconds; the server says something every 15.
_SILENCE = (10.0, 45.0)
_LONGEST_LINE = 1024**2


@dataclass(frozen=True)
class Happening:
    """`name`: `post`, or `done` with the job as it ended."""

    name: str
    data: Any


@dataclass
class _Place:
    """The id of the last event that was read."""

    last_id: str = ""


def follow(api: Api, path: str) -> Iterator[Happening]:
    """Ends after `done`. Raises `CliFailure` once the server is away for too long."""
    place, patience = _Place(), api.patience()
    while True:
        try:
            for happening in _read_once(api, path, place, patience):
                patience.note_progress()
                yield happening
                if happening.name == "done":
                    return
            patience.wait(LineBroken("The server ends the stream of events again and again"))
        except LineBroken as failure:
            patience.wait(failure)
        except ApiFailure as failure:
            if failure.retry_after is None:
                raise
            patience.wait(failure, failure.retry_after)


def _read_once(api: Api, path: str, place: _Place, patience: Patience) -> Iterator[Happening]:
    headers = {"Accept": "text/event-stream"}
    if place.last_id:
        headers["Last-Event-ID"] = place.last_id
    with api.send("GET", path, headers=headers, timeout=_SILENCE) as reply:
        require_success(reply)
        name, data = "", ""
        for line in _while_there(_lines(reply), patience):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data += value
                if len(data) > _LONGEST_LINE:
                    raise LineBroken("The server sends an event without an end")
            elif field == "id":
                place.last_id = value
            elif not line and data:
                yield Happening(name, _parse(data))
                name, data = "", ""


def _while_there(lines: Iterator[str], patience: Patience) -> Iterator[str]:
    """A server that says now and then that it is there may have nothing to tell for hours."""
    heard_at = time.monotonic()
    for line in lines:
        now = time.monotonic()
        patience.leave_out(now - heard_at)
        heard_at = now
        yield line


def _lines(reply: requests.Response) -> Iterator[str]:
    """As they come: each byte that is there is read at once. Raises `LineBroken`."""
    rest = b""
    try:
        while piece := reply.raw.read1(decode_content=True):
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line.decode(errors="replace").removesuffix("\r") for line in whole)
            if len(rest) > _LONGEST_LINE:
                raise LineBroken("The server sends a line without an end")
    except (requests.RequestException, OSError, _HTTPError) as error:
        raise LineBroken("The line broke while the job was followed") from error


def _parse(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise LineBroken("The server sent half an event") from error
