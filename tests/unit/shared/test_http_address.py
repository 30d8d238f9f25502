"""What is an address, and what only looks like one."""

from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from shared.http_address import (
    AllowedHost,
    HttpAddress,
    MalformedAddress,
    parse_allowed_host,
    parse_http_address,
    parse_postiz_address,
)

LONG_NAME = ".".join(["a" * 60] * 5)
#: Of any kind, with a word of the reason.
MALFORMED = [
    ("", "http"),
    ("postiz.example", "http"),
    ("ftp://a.example/x", "http"),
    ("http:a.example", "http"),
    ("http:/a.example", "http"),
    ("://a.example", "http"),
    ("http://", "host"),
    ("http:///path", "host"),
    ("http://:80/", "host"),
    ("https://not a url", "host"),
    ("http://a..b/", "labels"),
    ("http://.a.example/", "labels"),
    (f"http://{'x' * 64}.example/", "labels"),
    (f"http://{LONG_NAME}/", "labels"),
    ("http://-a.example/", "labels"),
    ("http://a-.example/", "labels"),
    ("http://a,b.example/", "labels"),
    ("http://a%2fb.example/", "labels"),
    ("http://127.0.0.%31/", "labels"),
    ("http://%31%32%37.0.0.1/", "labels"),
    ("http://localhos%74/", "labels"),
    ("http://127.0.0.1%00.example/", "labels"),
    ("http://a.example%2f@127.0.0.1/", "user name"),
    ("http://exa\u2100mple.example/", "http"),
    ("http://\u200b.example/", "control"),
    ("http://xn--\u00fc.example/", "exist"),
    ("http://127.1/", "four numbers"),
    ("http://2130706433/", "four numbers"),
    ("http://0x7f000001/", "four numbers"),
    ("http://1.2.3.256/", "four numbers"),
    ("http://0177.0.0.1/", "four numbers"),
    ("http://127.0.0.01/", "four numbers"),
    ("http://127.0.0.0x1/", "four numbers"),
    ("http://0x7f.0.0.1/", "four numbers"),
    ("http://0x7F.1/", "four numbers"),
    ("http://017700000001/", "four numbers"),
    ("http://127.0.1/", "four numbers"),
    ("http://127.0.0.1.1/", "four numbers"),
    ("http://1/", "four numbers"),
    ("http://0/", "four numbers"),
    ("http://0x/", "four numbers"),
    ("http://\u2460\u2461\u2466.1/", "four numbers"),
    ("http://[::1/", "http"),
    ("http://[::g]/", "http"),
    ("http://[fe80::1%25eth0]/", "IP address"),
    ("http://[::ffff:127.0.0.1/", "http"),
    ("http://[127.0.0.1]/", "http"),
    ("http://[::1]a.example/", "port"),
    ("http://[::1]@a.example/", "user name"),
    ("http://::1/", "labels"),
    ("http://a.example:0/", "port"),
    ("http://a.example:65536/", "port"),
    ("http://a.example:-1/", "port"),
    ("http://a.example:x/", "port"),
    ("http://a.example:/", "port"),
    ("http://a.example:\u0663/", "port"),
    ("http://user@a.example/", "user name"),
    ("http://user:pass@a.example/", "user name"),
    ("http://@a.example/", "user name"),
    ("http://good.example\\@evil.example/", "any of"),
    ("http:\\\\127.0.0.1/", "any of"),
    ("http:/\\127.0.0.1/", "any of"),
    ("http://127.0.0.1\\.example/", "any of"),
    ("http:///127.0.0.1/", "host"),
    ("http://127.0.0.1:80:80/", "labels"),
    ("http://127.0.0.1:80@a.example/", "user name"),
    ("http://a.example:80#@127.0.0.1/", "fragment"),
    ("http://127.0.0.1\u00ad/", "control"),
    ("ht\ntp://127.0.0.1/", "control"),
    ("http://127.0.0.1\x7f/", "control"),
    ("gopher://127.0.0.1/", "http"),
    ("file:///etc/passwd", "http"),
    ("http://a.example/#part", "fragment"),
    ("http://a.example#", "fragment"),
    ("http://a.example/\x00", "control"),
    ("http://a.example/\r\nHost: b", "control"),
    ("http://a.example/\ttab", "control"),
    (" http://a.example/", "spaces"),
    ("http://a.example/ ", "spaces"),
]
#: Of a Postiz besides.
NO_POSTIZ = [
    ("not a url", "spaces"),
    ("https://a.example/my postiz", "spaces"),
    ("https://a.example/?key=1", "query"),
    ("https://a.example?", "query"),
    ("https://a.example//public/v1", "path"),
    ("https://a.example/../public/v1", "path"),
    ("https://a.example/./public/v1", "path"),
    ("https://a.example/%2e%2e/public/v1", "path"),
    ("https://a.example/a;b/public/v1", "path"),
    ("https://a.example/\u00fc", "path"),
]


@pytest.mark.parametrize(("text", "words"), MALFORMED)
def test_what_is_malformed_is_told_why(text: str, words: str) -> None:
    with pytest.raises(MalformedAddress, match=words):
        parse_http_address(text)


@pytest.mark.parametrize(("text", "words"), NO_POSTIZ)
def test_where_no_postiz_can_be_is_told_why(text: str, words: str) -> None:
    with pytest.raises(MalformedAddress, match=words):
        parse_postiz_address(text)


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("http://a.example", "http://a.example", "/"),
        ("HTTPS://A.Example:443/X", "https://a.example", "/X"),
        ("https://a.example.:8443/", "https://a.example:8443", "/"),
        ("http://my_postiz:3000/a", "http://my_postiz:3000", "/a"),
        ("http://[::1]:80/?a=b", "http://[::1]", "/?a=b"),
        ("http://127\u30020\uff0e0\uff611/", "http://127.0.0.1", "/"),
        ("http://\uff11\uff12\uff17.0.0.1/", "http://127.0.0.1", "/"),
        ("http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/", "http://localhost", "/"),
        ("http://[0:0::0:1]/", "http://[::1]", "/"),
        ("http://10.0.0.5/a b?c=d e", "http://10.0.0.5", "/a%20b?c=d%20e"),
        ("http://b\u00fccher.example/\u00e9", "http://xn--bcher-kva.example", "/%C3%A9"),
        ("https://a.example/x?sig=a%2Fb&t=1", "https://a.example", "/x?sig=a%2Fb&t=1"),
    ],
)
def test_what_is_an_address_is_read_in_one_form(text: str, origin: str, target: str) -> None:
    address = parse_http_address(text)
    assert (address.origin, address.target) == (origin, target)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("Postiz.internal.", "postiz.internal", None),
        ("postiz.internal:5000", "postiz.internal", 5000),
        ("postiz:80", "postiz", 80),
        ("postiz:443", "postiz", 443),
        ("10.0.0.0/8", IPv4Network("10.0.0.0/8"), None),
        ("10.0.0.5", IPv4Network("10.0.0.5/32"), None),
        ("10.0.0.5:5000", IPv4Network("10.0.0.5/32"), 5000),
        ("fd00::/8", IPv6Network("fd00::/8"), None),
        ("::1", IPv6Network("::1/128"), None),
        ("[::1]", IPv6Network("::1/128"), None),
        ("[::1]:5000", IPv6Network("::1/128"), 5000),
    ],
)
def test_an_allowed_host_is_a_name_or_a_network(
    text: str, host: str | IPv4Network | IPv6Network, port: int | None
) -> None:
    assert parse_allowed_host(text) == AllowedHost(host=host, port=port)


@pytest.mark.parametrize(
    "text",
    [
        *("10.0.0.5/8", "10.0.0.0/33", "10.0.0.0/8:80", "fd00::1/8", "*", "*.internal", "a..b"),
        *("http://postiz", "postiz/path", "postiz?x", "me@postiz", "postiz:0", "postiz:x", "a b"),
        *("127.1", "0x7f000001", "127.0.0.%31", "postiz:", ":80", ""),
    ],
)
def test_what_is_no_allowed_host_is_refused(text: str) -> None:
    with pytest.raises(MalformedAddress):
        parse_allowed_host(text)


@pytest.mark.parametrize(
    "text", ["postiz.example", "postiz.example/", " https://postiz.example ", "POSTIZ.example:443"]
)
def test_a_bare_host_is_a_postiz_over_https(text: str) -> None:
    assert parse_postiz_address(text).origin == "https://postiz.example"


def read(text: str) -> HttpAddress | None:
    try:
        return parse_http_address(text)
    except MalformedAddress:
        return None


_PIECES = st.sampled_from(
    [*"ab.:/@?#[]\\%-_ ", "http://", "https://", "127.0.0.1", "::1", "\u3002"]
)


@given(st.lists(_PIECES | st.text(max_size=3), max_size=12).map("".join))
@example("http://a\u3002b")
def test_whatever_is_accepted_is_one_host_to_others_too(text: str) -> None:
    """Nothing is raised but `MalformedAddress`, and what is read once is read the same again."""
    address = read(text) or read(f"http://{text}")
    if address is None:
        return
    again = parse_http_address(address.origin + address.target)
    assert (again.origin, again.target) == (address.origin, address.target)
    theirs = parse_url(address.origin)
    assert (theirs.host or "").strip("[]") == address.host
    address.host.encode("idna")  # as a look-up of its name does
