"""A CONNECT proxy and a TLS front on loopback, to put between Pressroom and a sandbox.

The sandbox speaks plain HTTP; a proxy is used for https alone. So the way is

    Pressroom ── CONNECT ──▶ ConnectProxy ──▶ TlsFront (TLS ends here) ──▶ sandbox

    authority = Authority.create(folder)                       # tests/servers/certificates.py
    with TlsFront(sandbox.url, authority) as front, ConnectProxy() as proxy:
        api_url = front.url + "/public/v1"                     # https://localhost:PORT/public/v1
        environ = {
            "PRESSROOM_PROXY_URL": proxy.url,
            "PRESSROOM_CA_FILE": str(authority.file),
            "PRESSROOM_ALLOW_PRIVATE_URLS": "1",
        }

`proxy.tunnels` lists the targets of all tunnels that were opened, `proxy.requests` the first line
of whatever was asked of it. With `credentials="user:password"` it wants these (and its `url` has
them). `names` tells it where names lead that no DNS knows. `proxy.fault(kind, times)` has the next
connections meet one of `FAULTS`; `proxy.fault("lose_reply")` passes the request on whole and cuts
the tunnel when its reply comes back. Faults at the sandbox's routes (`reply_lost_after`, …) reach
through both. All of it runs in threads of this process, until the `with` ends.
"""

import base64
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Self
from urllib.parse import urlsplit

from tests.servers.certificates import Authority

#: refuse, unreachable: answers 403, 502. hang: never answers. cut: ends without an answer.
#: babble: answers something that is no HTTP. lose_reply: see above.
FAULTS = ("refuse", "unreachable", "hang", "cut", "babble", "lose_reply")
_ANSWERS = {
    "refuse": b"HTTP/1.1 403 Forbidden\r\n\r\n",
    "unreachable": b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
    "cut": b"",
    "babble": b"SSH-2.0-nothing\r\n",
}
_APPLICATION_DATA = 23


class Listener:
    """Accepts on loopback, and serves each connection in a thread of its own."""

    def __init__(self) -> None:
        self._closed = threading.Event()
        self._socket = self._listen()
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._run, daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        raise NotImplementedError

    def _listen(self) -> socket.socket:
        return socket.create_server(("127.0.0.1", 0), backlog=128)

    def close(self) -> None:
        self._closed.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(client,), daemon=True).start()

    def _serve_one(self, client: socket.socket) -> None:
        with closing(client), suppress(OSError):
            self.serve(client)


class TlsFront(Listener):
    """Speaks TLS with whoever comes, and plainly with the server behind it."""

    def __init__(self, behind: str, authority: Authority, *names: str) -> None:
        parts = urlsplit(behind)
        self._behind = (parts.hostname or "", parts.port or 80)
        self.context = authority.server_context(*names)
        super().__init__()
        self.url = f"https://{names[0] if names else 'localhost'}:{self.port}"

    def serve(self, client: socket.socket) -> None:
        client.settimeout(30)
        with closing(self.context.wrap_socket(client, server_side=True)) as secure:
            secure.settimeout(None)
            with closing(socket.create_connection(self._behind, timeout=120)) as behind:
                behind.settimeout(None)
                relay(secure, behind)


class ConnectProxy(Listener):
    """Opens tunnels, and nothing else: a plain request is answered with 405."""

    def __init__(
        self, *, credentials: str | None = None, names: Mapping[str, str] | None = None
    ) -> None:
        self.tunnels: list[str] = []
        self.requests: list[str] = []
        self.lost = 0  # replies that `lose_reply` kept back
        self._names = names or {}
        self._faults: deque[str] = deque()
        self._wanted = None
        if credentials:
            self._wanted = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        super().__init__()
        login = f"{credentials}@" if credentials else ""
        self.url = f"http://{login}127.0.0.1:{self.port}"

    def fault(self, kind: str, times: int = 1) -> None:
        assert kind in FAULTS
        self._faults.extend([kind] * times)

    def serve(self, client: socket.socket) -> None:
        line, headers = _read_head(client)
        if not line:
            return
        self.requests.append(line)
        method, _, rest = line.partition(" ")
        target = rest.partition(" ")[0]
        if method != "CONNECT":
            client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
        elif self._wanted and headers.get("proxy-authorization") != self._wanted:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        else:
            self._open(client, target)

    def _open(self, client: socket.socket, target: str) -> None:
        kind = self._faults.popleft() if self._faults else None
        if kind == "hang":
            while client.recv(65536):  # until the client gives up
                pass
        elif kind in _ANSWERS:
            client.sendall(_ANSWERS[kind])
        else:
            self._connect(client, target, lose_reply=kind == "lose_reply")

    def _connect(self, client: socket.socket, target: str, *, lose_reply: bool) -> None:
        host, _, port = target.rpartition(":")
        host = host.strip("[]")
        try:
            there = socket.create_connection((self._names.get(host, host), int(port)), timeout=120)
        except OSError:
            client.sendall(_ANSWERS["unreachable"])
            return
        with closing(there):
            there.settimeout(None)
            self.tunnels.append(target)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            relay(client, there, may_answer=self._losing() if lose_reply else _always)

    def _losing(self) -> Callable[[bytes, bool], bool]:
        """Says no to the first bytes that come back once the client has asked something."""
        asked = _Records()

        def may_answer(data: bytes, from_client: bool) -> bool:
            if from_client:
                asked.count(data)
            elif asked.data > 1:  # the first one is the end of the handshake
                self.lost += 1
                return False
            return True

        return may_answer


class _Records:
    """Counts the records of application data in one direction of a TLS connection."""

    def __init__(self) -> None:
        self.data = 0
        self._rest = b""

    def count(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= 5:
            size = 5 + int.from_bytes(self._rest[3:5], "big")
            if len(self._rest) < size:
                return
            self.data += self._rest[0] == _APPLICATION_DATA
            self._rest = self._rest[size:]


def _always(_data: bytes, _from_client: bool) -> bool:
    return True


def relay(
    client: socket.socket,
    there: socket.socket,
    *,
    may_answer: Callable[[bytes, bool], bool] = _always,
) -> None:
    """Carry bytes both ways until one side ends, or `may_answer` says no."""
    while True:
        for source in _readable(client, there):
            data = source.recv(65536)
            if not data or not may_answer(data, source is client):
                return
            (there if source is client else client).sendall(data)


def _readable(client: socket.socket, there: socket.socket) -> list[socket.socket]:
    if isinstance(client, ssl.SSLSocket) and client.pending():
        return [client]
    waiting = select.poll()  # select() knows no more than 1024 descriptors
    for sock in (client, there):
        waiting.register(sock, select.POLLIN)
    readable = {descriptor for descriptor, _ in waiting.poll()}
    return [sock for sock in (client, there) if sock.fileno() in readable]


def _read_head(client: socket.socket) -> tuple[str, dict[str, str]]:
    """The first line of a request, empty where none came, and its headers by their small names."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(65536)
        if not piece:
            return "", {}
        head += piece
    line, *rest = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    pairs = (each.partition(":") for each in rest)
    return line, {name.strip().lower(): value.strip() for name, _, value in pairs}
