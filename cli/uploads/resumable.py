"""A clip on its way to the server by tus 1.0.0: begun once, and gone on with after each break.

Our own instead of tuspy: that one brings aiohttp, has no time limits, holds a whole part in memory,
and begins a second upload where the answer to the first request was lost.
"""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import Any, NoReturn
from urllib.parse import quote

import requests

from cli.failures import CliFailure, LineBroken
from cli.http.answers import ApiFailure, require_success
from cli.http.api import Api
from cli.http.patience import Interrupted
from cli.uploads.clip import Clip, changed_meanwhile
from cli.uploads.memory import Begun, UploadMemory

_TUS = {"Tus-Resumable": "1.0.0"}
_BYTES = {**_TUS, "Content-Type": "application/offset+octet-stream"}
_MEDIUM = "Pressroom-Media-Id"
#: Of a file that never becomes a medium, however often it is sent.
REFUSALS = frozenset({400, 413, 415, 422})
#: Codes of what a broken line looks like to the server; a proxy may pass on its answer.
_BROKEN = frozenset({"wrong_offset", "broken_body"})
#: Seconds: the answer to the last byte comes when the server has looked at the whole file.
_TIMEOUT = (10.0, 300.0)
_AT_ONCE = 64 * 1024
#: How often an upload that the server does not know any more is begun anew.
_BEGINNINGS = 3


class ResumableUpload:
    """`note_sent` hears how many bytes are there (of the whole), also when it is fewer again."""

    def __init__(
        self, api: Api, memory: UploadMemory, clip: Clip, note_sent: Callable[[int], None]
    ) -> None:
        self._api = api
        self._memory = memory
        self._clip = clip
        self._note_sent = note_sent
        self._patience = api.patience()
        self._beginnings = 0
        self._kept = 0

    def run(self) -> str:
        """The id of the medium. Raises `CliFailure`, and `Interrupted`."""
        while True:
            try:
                medium = self._go_on()
                self._memory.forget(self._clip)
                self._require_same(medium)
                return medium
            except LineBroken as failure:
                self._patience.wait(failure)
            except ApiFailure as failure:
                self._get_past(failure)

    def _get_past(self, failure: ApiFailure) -> None:
        """Raises `failure` if the same would fail again."""
        if failure.status in {404, 410} and self._beginnings < _BEGINNINGS:
            self._memory.forget(self._clip)  # it has expired, or was given up
        elif failure.code in _BROKEN or failure.retry_after is not None:
            self._patience.wait(failure, failure.retry_after)
        else:
            if failure.status in REFUSALS:
                self._memory.forget(self._clip)
            raise failure

    def _go_on(self) -> str:
        """One try: from where the server stopped to the end."""
        begun = self._memory.recall(self._clip)
        if begun.id is None:
            begun = self._begin(begun)
        path = f"/uploads/{begun.id}"
        told = self._ask("HEAD", path, headers=_TUS)
        if medium := told.headers.get(_MEDIUM):
            return medium
        offset = self._offset_of(told)
        self._note_kept(offset)
        sent = self._send_rest(path, offset)
        self._clip.require_unchanged()
        if not (medium := sent.headers.get(_MEDIUM)):
            raise LineBroken("The server does not say what the upload became")
        return medium

    def _note_kept(self, offset: int) -> None:
        """Only what the server keeps is progress: a proxy may take all bytes and pass on none."""
        if offset > self._kept:
            self._kept = offset
            self._patience.note_progress()
        self._note_sent(offset)

    def _send_rest(self, path: str, offset: int) -> requests.Response:
        headers = {**_BYTES, "Upload-Offset": str(offset)}
        began_at = time.monotonic()
        try:
            with self._clip.path.open("rb") as file:
                body = _Rest(file, offset, self._clip, self._note_sent, self._api)
                return self._ask("PATCH", path, headers=headers, data=body, timeout=_TIMEOUT)
        except OSError as error:
            raise CliFailure(f"{self._clip.path} cannot be read: {error.strerror}") from error
        finally:
            self._patience.leave_out(time.monotonic() - began_at)

    def _require_same(self, medium: str) -> None:
        """A file that changes while it is sent becomes a medium that is neither."""
        if self._api.get(f"/media/{quote(medium, safe='')}")["sha256"] != self._clip.sha256:
            raise changed_meanwhile(self._clip.path)

    def _begin(self, begun: Begun) -> Begun:
        self._beginnings += 1
        name = b64encode(self._clip.name.encode("utf-8", errors="replace")).decode()
        headers = {
            **_TUS,
            "Idempotency-Key": begun.key,
            "Upload-Length": str(self._clip.size),
            "Upload-Metadata": f"filename {name}",
        }
        reply = self._ask("POST", "/uploads", headers=headers)
        number = reply.headers.get("Location", "").rpartition("/")[2]
        if not number.isdigit():
            raise CliFailure("The server does not say where the upload goes")
        known = Begun(key=begun.key, id=number)
        self._memory.remember(self._clip, known)
        return known

    def _ask(self, method: str, path: str, **more: Any) -> requests.Response:
        with self._api.send(method, path, **more) as reply:
            if method == "HEAD" and reply.status_code >= 400:
                _refuse_head(reply)
            require_success(reply)
            return reply

    def _offset_of(self, reply: requests.Response) -> int:
        told = reply.headers.get("Upload-Offset", "")
        if not told.isdigit() or int(told) > self._clip.size:
            raise CliFailure("The server does not say how much of the upload it has")
        return int(told)


def _refuse_head(reply: requests.Response) -> NoReturn:
    """It has no body that would say more: a GET of the same has one."""
    if reply.status_code == 401:
        require_success(reply)
    raise ApiFailure(
        f"The server answered {reply.status_code}",
        status=reply.status_code,
        code="",
        retry_after=1.0 if reply.status_code in {423, 429, 502, 503, 504} else None,
        hint=None,
    )


class _Rest:
    """The bytes from `offset` to the end, as the body of a request that can be interrupted."""

    def __init__(
        self,
        file: BufferedReader,
        offset: int,
        clip: Clip,
        note_sent: Callable[[int], None],
        api: Api,
    ) -> None:
        file.seek(offset)
        self._file, self._clip, self._note_sent, self._api = file, clip, note_sent, api
        self._at = offset
        self._length = clip.size - offset

    def __len__(self) -> int:
        """What is announced as the body's length."""
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """By this `requests` knows that it is a stream."""
        return iter(self.read, b"")

    def read(self, _wanted: int = -1) -> bytes:
        if self._api.stop.is_set():
            raise Interrupted
        self._note_sent(self._at)  # what was read before has been sent by now
        piece = self._file.read(min(_AT_ONCE, self._clip.size - self._at))
        self._at += len(piece)
        if not piece and self._at < self._clip.size:  # the server would wait for the rest
            raise changed_meanwhile(self._clip.path)
        return piece
