"""A name that leads elsewhere when it is asked again: what was checked is what is connected to.

The resolver is replaced at its lowest level, `socket.getaddrinfo`; sockets, servers and the policy
are real. 127.0.0.1 stands for a public address: it alone is allowed. 127.0.0.2 is a private one,
where a server listens on the same port.
"""

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InvalidRequest
from shared.http_address import parse_allowed_host
from shared.net.connect_tunnel import Unreachable
from shared.net.download import read_url
from shared.net.outbound_route import MOST_TRIED, PRIVATE, UNRESOLVED, Proxy, Route
from shared.net.transport import NotSent, Transport
from shared.postiz.client import KeyAuth
from tests.servers.certificates import Authority
from tests.servers.connect_proxy import ConnectProxy, Listener, TlsFront
from tests.servers.receiver import attempted

NAME = "rebinding.example"
ALLOWED, FORBIDDEN = "127.0.0.1", "127.0.0.2"
ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


class Answering(Listener):
    """Counts who comes, and answers any request with `ok`."""

    def __init__(self) -> None:
        self.visits = 0
        super().__init__()

    def serve(self, client: socket.socket) -> None:
        self.visits += 1
        client.settimeout(30)
        client.recv(65536)
        client.sendall(ANSWER)


@dataclass
class Names:
    """The addresses of each look-up to come; the last ones are those of all that follow."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list)

    def look_up(self, host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        """Of an IP, too: a second look-up gains an attacker what it can."""
        self.asked.append(str(host))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names([[ALLOWED], [FORBIDDEN]])
    monkeypatch.setattr(socket, "getaddrinfo", made.look_up)
    return made


@pytest.fixture
def server() -> Iterator[Answering]:
    with Answering() as running:
        yield running


@pytest.fixture
def private_visits(server: Answering) -> Iterator[list[Any]]:
    """Who connects to the private address."""
    visits: list[Any] = []

    class Private(Listener):
        def _listen(self) -> socket.socket:
            return socket.create_server((FORBIDDEN, server.port), backlog=128)

        def serve(self, client: socket.socket) -> None:
            visits.append(client.getpeername())

    with Private():
        yield visits


def only(*texts: str, **more: Any) -> Route:
    return Route(allowed=tuple(map(parse_allowed_host, texts)), **more)


def call_postiz(url: str, route: Route) -> str:
    transport = Transport(KeyAuth("k"), route=route)
    try:
        return transport.request("GET", url, total=10, stall=10).text
    except NotSent as error:
        return str(error)
    finally:
        transport.close()


def fetch_medium(url: str, route: Route) -> str:
    try:
        return b"".join(read_url(url, route)).decode()
    except InvalidRequest as error:
        return str(error)


def tell_receiver(url: str, route: Route) -> str:
    answer = attempted(url, route)
    return answer.error or {200: "ok"}[answer.status or 0]


CALLS = pytest.mark.parametrize("call", [call_postiz, fetch_medium, tell_receiver])
Caller = Callable[[str, Route], str]


@CALLS
def test_a_call_connects_to_the_address_that_was_checked_and_the_next_one_checks_again(
    names: Names, server: Answering, private_visits: list[Any], call: Caller
) -> None:
    url = f"http://{NAME}:{server.port}/"
    assert call(url, only(ALLOWED)) == "ok"
    assert names.asked == [NAME], "it was looked up once"
    assert "rebinding.example is the private address 127.0.0.2" in call(url, only(ALLOWED))
    assert (server.visits, private_visits) == (1, [])


@CALLS
def test_one_private_address_among_public_ones_is_enough_to_refuse(
    names: Names, server: Answering, private_visits: list[Any], call: Caller
) -> None:
    names.answers = [[ALLOWED, FORBIDDEN]]
    assert "private address 127.0.0.2" in call(f"http://{NAME}:{server.port}/", only(ALLOWED))
    assert (server.visits, private_visits) == (0, [])


@CALLS
@pytest.mark.parametrize(
    "host",
    ["127.0.0.%32", "127.0.0.2\\@127.0.0.1", "127.0.0.1@127.0.0.2", "0x7f000002", "2130706434"],
)
def test_a_host_in_another_form_is_called_by_nobody(
    names: Names, server: Answering, private_visits: list[Any], call: Caller, host: str
) -> None:
    """Also where it was saved before it was refused."""
    names.answers = [[FORBIDDEN]]
    assert call(f"http://{host}:{server.port}/", only(ALLOWED, FORBIDDEN)) != "ok"
    assert (server.visits, private_visits, names.asked) == (0, [], [])


def test_a_name_is_allowed_whatever_its_addresses_are(names: Names, server: Answering) -> None:
    url = f"http://{NAME}:{server.port}/"
    assert "private address" in call_postiz(url, only("another.example"))
    names.answers = [[ALLOWED]]
    assert call_postiz(url, only(f"{NAME}:{server.port}")) == "ok"
    assert "private address" in call_postiz(url, only(f"{NAME}:{server.port + 1}"))


def test_a_host_with_many_dead_addresses_is_given_up_soon(names: Names, server: Answering) -> None:
    dead = [f"127.0.1.{number}" for number in range(MOST_TRIED)]
    names.answers = [[*dead, ALLOWED]]
    url = f"http://{NAME}:{server.port}/"
    assert "refused" in call_postiz(url, Route(allow_private=True))
    names.answers = [[*dead[1:], ALLOWED]]
    assert call_postiz(url, Route(allow_private=True)) == "ok"


# over TLS, and through a proxy


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path)


@pytest.fixture
def spoken_to(server: Answering, authority: Authority) -> Iterator[tuple[TlsFront, list[str]]]:
    """The server behind TLS with a certificate of the name, and the names that it is asked for."""
    asked: list[str] = []

    def note(_socket: object, name: str, _context: ssl.SSLContext) -> None:
        asked.append(name)

    with TlsFront(f"http://{ALLOWED}:{server.port}", authority, NAME) as front:
        front.context.sni_callback = note
        yield front, asked


@CALLS
def test_tls_asks_for_the_name_and_verifies_it_on_the_address_that_was_checked(
    names: Names,
    spoken_to: tuple[TlsFront, list[str]],
    authority: Authority,
    call: Caller,
) -> None:
    front, asked = spoken_to
    route = only(ALLOWED, ca=authority.file.read_text())
    names.answers = [[ALLOWED]]
    assert call(f"https://{NAME}:{front.port}/", route) == "ok"
    assert asked == [NAME]


@CALLS
@pytest.mark.parametrize("entry", [ALLOWED, NAME])
def test_a_proxy_is_asked_for_what_was_checked_and_by_name_for_what_the_operator_allows(
    spoken_to: tuple[TlsFront, list[str]],
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    call: Caller,
    entry: str,
) -> None:
    front, asked = spoken_to
    with ConnectProxy(names={NAME: ALLOWED}) as proxy:
        route = only(entry, ca=authority.file.read_text(), proxy=Proxy.parse(proxy.url))
        if entry == ALLOWED:  # the name is known here
            _teach(monkeypatch, NAME, ALLOWED)
        assert call(f"https://{NAME}:{front.port}/", route) == "ok"
        assert proxy.tunnels == [f"{entry}:{front.port}"]
        assert asked == [NAME]
        _teach(monkeypatch, NAME, FORBIDDEN)
        if entry == ALLOWED:
            assert "private address" in call(f"https://{NAME}:{front.port}/", route)
            assert len(proxy.requests) == 1, "the proxy heard nothing of it"


def _teach(monkeypatch: pytest.MonkeyPatch, name: str, ip: str) -> None:
    real = socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        return real(ip if host == name else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


# before anything is saved


@pytest.mark.parametrize(
    ("found", "code"), [([], UNRESOLVED), ([FORBIDDEN], PRIVATE), ([ALLOWED, FORBIDDEN], PRIVATE)]
)
def test_a_refusal_has_its_code(names: Names, found: list[str], code: str) -> None:
    names.answers = [found]
    for entry in (ALLOWED, "another.example"):
        with pytest.raises(Unreachable) as caught:
            only(entry).require_allowed("https", NAME, 443)
        assert caught.value.code == code
