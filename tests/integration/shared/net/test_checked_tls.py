"""Over TLS the IP is what was checked, and the certificate is of the name in the address."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.net.outbound_route import Route
from tests.servers.certificates import Authority
from tests.servers.connect_proxy import TlsFront
from tests.servers.receiver import attempted, receiving

NAME = "hooks.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path)


@pytest.fixture
def port(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A receiver that every name leads to, with a certificate of one of them."""
    real = socket.getaddrinfo

    def to_us(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".example") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", to_us)
    with receiving() as receiver, TlsFront(receiver.url, authority, NAME) as front:
        yield front.port


def tried(url: str, ca: str | None) -> tuple[int | None, str | None]:
    answer = attempted(url, Route(allow_private=True, ca=ca))
    return answer.status, answer.error


def test_the_certificate_must_be_of_the_name_in_the_address(
    authority: Authority, port: int
) -> None:
    ca = authority.file.read_text()
    assert tried(f"https://{NAME}:{port}/", ca) == (200, None)
    status, error = tried(f"https://another.example:{port}/", ca)
    assert status is None
    assert error is not None
    assert error.startswith("TLS failed: ")
    assert "another.example" in error


def test_a_certificate_of_an_unknown_authority_is_refused(port: int) -> None:
    status, error = tried(f"https://{NAME}:{port}/", None)
    assert status is None
    assert error is not None
    assert "CERTIFICATE_VERIFY_FAILED" in error
