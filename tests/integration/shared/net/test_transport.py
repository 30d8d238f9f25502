"""The transport against real sockets: what left, what did not, and how long it may take."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import (
    CredentialsRejected,
    OutcomeUnknown,
    SettingsChanged,
    Transient,
    WrongBaseUrl,
)
from shared.net import guarded_connections
from shared.net.outbound_route import Route
from shared.net.transport import Broken, NotSent, Transport
from shared.postiz.client import (
    SLOWEST_UPLOAD,
    STALLED_UPLOAD_SECONDS,
    KeyAuth,
    Postiz,
)
from shared.postiz.discovery import not_saved
from shared.postiz.payloads import Element
from tests.timing.patience import PATIENCE

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OPEN = Route(allow_private=True)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Accepts connections on loopback and treats each as `serve` says; counts them."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.connections = 0
        self.serve = serve
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with closing(connection):
            try:
                self.serve(connection)
            except OSError:
                return


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[Server]:
    started = Server(serve)
    with closing(started.socket):
        yield started
        started.socket.shutdown(socket.SHUT_RDWR)  # a thread in accept() would take one more


def answer_each(connection: socket.socket) -> None:
    while connection.recv(65536):
        connection.sendall(OK)


def never_answer(connection: socket.socket) -> None:
    connection.recv(65536)
    time.sleep(PATIENCE)


def trickle(connection: socket.socket) -> None:
    """A byte now and then, without end: no single read ever times out."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.1)


def cut(connection: socket.socket) -> None:
    connection.recv(65536)


def put(transport: Transport, url: str, **more: Any) -> None:
    values: dict[str, Any] = {"total": 5.0, "stall": 5.0, **more}
    transport.request("PUT", url, **values)


def test_a_refused_connection_has_sent_nothing() -> None:
    with server(cut) as gone:
        url = gone.url
    with pytest.raises(NotSent, match="refused"):
        put(Transport(KeyAuth("k"), route=OPEN), url)


def test_a_connection_that_breaks_after_the_request_may_have_done_it() -> None:
    with server(cut) as cutting, pytest.raises(Broken, match="broke"):
        put(Transport(KeyAuth("k"), route=OPEN), cutting.url)


@pytest.mark.parametrize("serve", [never_answer, trickle])
def test_the_whole_call_has_a_limit_even_when_bytes_trickle(
    serve: Callable[[socket.socket], None],
) -> None:
    with server(serve) as slow, pytest.raises(Broken, match="no answer in time"):
        put(Transport(KeyAuth("k"), route=OPEN), slow.url, total=1.0)


def test_the_last_question_is_asked_when_the_connection_stands_and_before_any_byte() -> None:
    seen: list[bytes] = []

    def record(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))

    def forbid() -> None:
        raise SettingsChanged("newer")

    with server(record) as recording:
        with pytest.raises(SettingsChanged):
            put(Transport(KeyAuth("k"), route=OPEN, check=forbid), recording.url)
        with pytest.raises(SettingsChanged):
            put(Transport(KeyAuth("k"), route=OPEN), recording.url, last_check=forbid)
        deadline = time.monotonic() + PATIENCE
        while len(seen) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert recording.connections == 2
    assert seen == [b"", b""]


def test_a_connection_is_used_again_but_not_when_it_rested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with server(answer_each) as counting:
        transport = Transport(KeyAuth("k"), route=OPEN)
        for _ in range(3):
            put(transport, counting.url)
        assert counting.connections == 1
        monkeypatch.setattr(guarded_connections, "IDLE_SECONDS", -1.0)
        put(transport, counting.url)
        assert counting.connections == 2


def test_a_connection_that_rested_is_not_used_though_another_was_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guarded_connections, "IDLE_SECONDS", 1.0)
    with server(answer_each) as counting, ThreadPoolExecutor(2) as threads:
        transport = Transport(KeyAuth("k"), route=OPEN)

        def put_two() -> None:
            both_open = threading.Barrier(2)
            puts = [
                threads.submit(put, transport, counting.url, last_check=both_open.wait)
                for _ in range(2)
            ]
            for future in puts:
                future.result()

        put_two()
        assert counting.connections == 2
        rested_at = time.monotonic() + 1.0
        while time.monotonic() < rested_at:
            put(transport, counting.url)
        assert counting.connections == 2
        put_two()
        assert counting.connections == 3


def test_redirects_are_not_followed() -> None:
    def redirect(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /auth/login\r\nContent-Length: 0\r\n\r\n"
        )

    with server(redirect) as redirecting:
        reply = Transport(KeyAuth("k"), route=OPEN).request(
            "GET", redirecting.url, total=5, stall=5
        )
        assert reply.status_code == 307
        assert redirecting.connections == 1


def test_the_adapter_calls_a_broken_read_harmless_and_a_broken_write_unknown() -> None:
    with server(cut) as cutting:
        postiz = Postiz(cutting.url, "key", call_seconds=5, check=not_saved, route=OPEN)
        with pytest.raises(Transient):
            postiz.integrations()
        with pytest.raises(OutcomeUnknown):
            postiz.release("some-id")


def test_json_of_another_shape_is_no_answer_of_postiz() -> None:
    with server(answer_each) as odd:  # {}
        postiz = Postiz(odd.url, "key", call_seconds=5, check=not_saved, route=OPEN)
        for read in (postiz.notifications, lambda: postiz.window(NOW, NOW)):
            with pytest.raises(Transient, match="unexpected shape"):
                read()
        with pytest.raises(OutcomeUnknown):
            postiz.stage(NOW, [Element(integration_id="x", content="hello", settings={})])


def test_no_error_repeats_a_key_that_the_answer_repeats() -> None:
    def repeat(connection: socket.socket) -> None:
        asked = connection.recv(65536).decode()
        told = json.dumps({"msg": asked}).encode()
        head = f"HTTP/1.1 401 No\r\nContent-Length: {len(told)}\r\n\r\n"
        connection.sendall(head.encode() + told)

    with server(repeat) as repeating:
        postiz = Postiz(repeating.url, "the-whole-key", call_seconds=5, check=not_saved, route=OPEN)
        with pytest.raises(CredentialsRejected) as caught:
            postiz.integrations()
    assert "the-whole-key" not in str(caught.value)


def test_a_proxy_that_refuses_the_status_route_does_not_make_postiz_too_old() -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n<html")

    with server(refuse) as refusing:
        postiz = Postiz(refusing.url, "key", call_seconds=5, check=not_saved, route=OPEN)
        with pytest.raises(WrongBaseUrl):
            postiz.has_status_route()


def test_a_plain_server_behind_https_is_told_in_words() -> None:
    with server(answer_each) as plain:
        postiz = Postiz(
            plain.url.replace("http:", "https:"), "key", call_seconds=5, check=not_saved, route=OPEN
        )
        with pytest.raises(Transient, match="TLS failed: ") as caught:
            postiz.integrations()
    assert "Max retries" not in str(caught.value)


class Zeros:
    """A file that notes how much is read of it at once."""

    def __init__(self, size: int) -> None:
        self.len = size
        self.sizes: list[int] = []

    def read(self, size: int = -1) -> bytes:
        self.sizes.append(min(size, self.len))
        self.len -= self.sizes[-1]
        return bytes(self.sizes[-1])


def test_a_file_goes_out_in_few_pieces_of_which_each_is_sent_before_it_stalls() -> None:
    size, file = 4 * 1024**2, Zeros(4 * 1024**2)

    def take(connection: socket.socket) -> None:
        received = 0
        while received < size:
            received += len(connection.recv(1024**2))
        connection.sendall(OK)

    with server(take) as taking, pytest.raises(OutcomeUnknown):  # its answer is not of Postiz
        Postiz(taking.url, "key", check=not_saved, route=OPEN).upload("a.mp4", "video/mp4", file)
    assert sum(file.sizes) == size
    assert len(file.sizes) < size / (128 * 1024)
    assert max(file.sizes) < STALLED_UPLOAD_SECONDS * SLOWEST_UPLOAD
