"""What is an address, and what only looks like one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from shared.http_address import (
    HttpAddress,
    MalformedAddress,
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
    ("http://exa\u2100mple.example/", "http"),
    ("http://\u200b.example/", "control"),
    ("http://xn--\u00fc.example/", "exist"),
    ("http://127.1/", "four numbers"),
    ("http://2130706433/", "four numbers"),
    ("http://0x7f000001/", "four numbers"),
    ("http://1.2.3.256/", "four numbers"),
    ("http://0177.0.0.1/", "four numbers"),
    ("http://[::1/", "http"),
    ("http://[::g]/", "http"),
    ("http://[fe80::1%25eth0]/", "IP address"),
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
        ("http://10.0.0.5/a b?c=d e", "http://10.0.0.5", "/a%20b?c=d%20e"),
        ("http://b\u00fccher.example/\u00e9", "http://xn--bcher-kva.example", "/%C3%A9"),
        ("https://a.example/x?sig=a%2Fb&t=1", "https://a.example", "/x?sig=a%2Fb&t=1"),
    ],
)
def test_what_is_an_address_is_read_in_one_form(text: str, origin: str, target: str) -> None:
    address = parse_http_address(text)
    assert (address.origin, address.target) == (origin, target)


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
