"""An upload ends: with the clip as it was read, or with a word on what keeps it from arriving."""

import os
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from cli.failures import CliFailure
from cli.http.api import Api
from cli.http.patience import VARIABLE
from cli.sign_in import SignIn
from cli.uploads.clip import Clip, read_clip
from cli.uploads.memory import UploadMemory
from cli.uploads.resumable import ResumableUpload
from tests.servers.http_server import http_server

_ENOUGH = 30
CONTENT = b"a clip" * 50_000


class _Server(BaseHTTPRequestHandler):
    """Takes uploads by tus, and says of each that it became the medium 7.

    `keeps`: whether bytes that came are kept; else the line breaks when they are here, at least
    for `_ENOUGH` times. `refusals`: status and code of the first answers to bytes.
    """

    keeps = True
    kept = 0
    patches = 0
    refusals: tuple[tuple[int, str], ...] = ()
    sha256 = "of something else"

    def do_POST(self) -> None:
        self._answer(201, {"Location": "/api/v1/uploads/1"})

    def do_HEAD(self) -> None:
        self._answer(200, {"Upload-Offset": str(self.kept)})

    def do_PATCH(self) -> None:
        kind: Any = type(self)
        kind.patches += 1
        length = int(self.headers["Content-Length"])
        sent = self.rfile.read(length)
        if len(sent) < length or (not self.keeps and self.patches < _ENOUGH):
            self.close_connection = True
            return
        if self.refusals:
            status, code = kind.refusals[0]
            kind.refusals = self.refusals[1:]
            self._answer(status, {}, f'{{"code": "{code}"}}'.encode())
            return
        kind.kept += len(sent)
        self._answer(204, {"Pressroom-Media-Id": "7"})

    def do_GET(self) -> None:
        """Of the medium, with the sha256 that the server found."""
        self._answer(200, {}, f'{{"sha256": "{self.sha256}"}}'.encode())

    def _answer(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clip:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "1")
    path = tmp_path / "a.mp4"
    path.write_bytes(CONTENT)
    return read_clip(path, Event(), lambda _: None)


def failure_of(clip: Clip, handler: Any) -> str:
    with http_server(handler) as url:
        api = Api(SignIn(url=url, api_key="a"))
        upload = ResumableUpload(api, UploadMemory(url, "acme"), clip, lambda _: None)
        with pytest.raises(CliFailure) as found:
            upload.run()
    return found.value.message


def test_bytes_that_are_taken_and_never_kept_are_not_sent_for_ever(clip: Clip) -> None:
    handler: Any = type("Handler", (_Server,), {"keeps": False})
    assert "the line broke" in failure_of(clip, handler)
    assert 1 < handler.patches < _ENOUGH


def test_a_clip_that_became_another_on_its_way_is_not_taken_for_it(clip: Clip) -> None:
    """Its file looks as it did, or the answer that would have told was lost."""
    assert "was changed while it was uploaded" in failure_of(clip, type("Handler", (_Server,), {}))


@pytest.mark.parametrize("size", [0, len(CONTENT) // 2])
def test_a_file_that_became_shorter_does_not_keep_the_server_waiting(clip: Clip, size: int) -> None:
    os.truncate(clip.path, size)
    handler: Any = type("Handler", (_Server,), {})
    assert "was changed while it was uploaded" in failure_of(clip, handler)


def test_what_is_no_refusal_of_the_file_does_not_lose_what_was_sent(clip: Clip) -> None:
    refusals = ((400, "broken_body"), (507, "no_space"))
    handler: Any = type("Handler", (_Server,), {"sha256": clip.sha256, "refusals": refusals})
    with http_server(handler) as url:
        memory = UploadMemory(url, "acme")
        upload = ResumableUpload(Api(SignIn(url=url, api_key="a")), memory, clip, lambda _: None)
        with pytest.raises(CliFailure, match="507"):
            upload.run()
        assert memory.recall(clip).id == "1", "the next run goes on with it"
        assert upload.run() == "7"
