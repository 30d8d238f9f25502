"""Which addresses are public, and what the operator's list allows besides."""

import ipaddress
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http_address import AllowedHost, parse_allowed_host
from shared.net.address_policy import is_allowed_address, is_allowed_name, is_public, resolve_host

#: First and last of each network that is not public, and single addresses with a meaning.
PRIVATE = [
    *("0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255"),
    *("127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.255.255", "172.16.0.0"),
    *("172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.1", "192.88.99.1", "192.168.0.0"),
    *("192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.255"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    # metadata of clouds
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    *("fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe"),
    # IPv6 of every kind that is no public server
    *("::", "::1", "::127.0.0.1", "::8.8.8.8", "100::1", "2001::1", "2001:2::1", "2001:10::1"),
    *(
        "2001:20::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2002::1",
        "2002:7f00:1::",
        "2002:808:808::",
    ),
    *("3fff::1", "3fff:fff:ffff::1", "4000::1", "5f00::1", "fc00::1", "fdff::1", "fe80::1"),
    *("fec0::1", "feff::1", "ff02::1", "ff0e::1"),
    # IPv4 in IPv6, and behind gateways to it, whatever it is
    *("::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::8.8.8.8", "64:ff9b:1::1"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "fe80::1%eth0", "::1%lo"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"),
    *("126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255"),
    *("172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255"),
    *("198.20.0.0", "223.255.255.255", "168.63.129.15", "93.184.216.34"),
    *("2001:200::1", "2001:4860:4860::8888", "2606:4700:4700::1111", "2a00:1450::1"),
    *("2003::1", "3ffe:ffff::1", "::ffff:8.8.8.8"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_no_public_server_has_is_private(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_next_to_it_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_python_takes_for_private(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """In each version of Python: our list is the longer one."""
    if is_public(str(address)):
        assert (getattr(address, "ipv4_mapped", None) or address).is_global
        assert not address.is_multicast


def entries(*texts: str) -> Sequence[AllowedHost]:
    return [parse_allowed_host(text) for text in texts]


@pytest.mark.parametrize(
    ("entry", "address", "port"),
    [
        ("10.0.0.0/8", "10.1.2.3", 80),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 80),
        ("10.1.2.3", "10.1.2.3", 5000),
        ("10.1.2.3:5000", "10.1.2.3", 5000),
        ("::1", "::1", 80),
        ("[::1]:5000", "::1", 5000),
        ("fd00::/8", "fd12::1", 443),
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", 443),
        ("2002::/16", "2002:808:808::1", 443),
    ],
)
def test_an_address_is_allowed_by_its_network(entry: str, address: str, port: int) -> None:
    assert is_allowed_address(address, port, entries(entry))


@pytest.mark.parametrize(
    ("entry", "address", "port"),
    [
        ("10.0.0.0/8", "11.0.0.1", 80),
        ("10.0.0.0/8", "127.0.0.1", 80),
        ("10.1.2.3:5000", "10.1.2.3", 5001),
        ("postiz.internal", "10.1.2.3", 80),
        ("10.1.2.3", "::10.1.2.3", 80),
        ("64:ff9b::/96", "64:ff9b::127.0.0.1", 80),
        ("64:ff9b::/96", "64:ff9b::a9fe:a9fe", 80),
        ("2002::/16", "2002:7f00:1::1", 80),
    ],
)
def test_no_other_address_is_nor_what_is_behind_a_gateway(
    entry: str, address: str, port: int
) -> None:
    assert not is_allowed_address(address, port, entries(entry))


def test_what_is_behind_a_gateway_is_allowed_where_both_are() -> None:
    both = entries("64:ff9b::/96", "10.0.0.0/8")
    assert is_allowed_address("64:ff9b::10.0.0.1", 80, both)
    assert not is_allowed_address("64:ff9b::192.168.0.1", 80, both)


def test_a_name_is_allowed_as_a_whole_and_on_its_port() -> None:
    allowed = entries("Postiz.internal.", "hooks.internal:8080")
    assert is_allowed_name("postiz.internal", 1234, allowed)
    assert is_allowed_name("hooks.internal", 8080, allowed)
    for host, port in (
        ("hooks.internal", 80),
        ("a.postiz.internal", 80),
        ("postiz.internal.example", 80),
        ("xpostiz.internal", 80),
        ("internal", 80),
    ):
        assert not is_allowed_name(host, port, allowed), host


@pytest.mark.parametrize(
    "failure",
    [
        socket.gaierror(socket.EAI_NONAME, "no such name"),
        socket.gaierror(socket.EAI_AGAIN, "no answer"),
        OSError(24, "too many open files"),
        UnicodeError("label too long"),
    ],
)
def test_a_name_that_does_not_resolve_has_no_addresses(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert resolve_host("a.example", 80) == []
