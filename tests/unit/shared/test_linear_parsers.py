"""Attack 7: every parser of what others send takes time in proportion to it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.networks.caption_length import bare_links, plain_length, weighted_length
from shared.domain.networks.channel import Channel
from shared.domain.networks.failure_reasons import Notice, find_reason
from shared.domain.publishing.fingerprint import normalize_content
from shared.domain.timing.cron import normalize_expression
from shared.errors import InvalidRequest
from shared.http_address import parse_http_address, parse_postiz_address
from tests.timing.growth import assert_linear
from web.http_layer.pagination import decode_cursor
from web.http_layer.request import read_json
from web.request_parsing.csv_rows import read_table

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def quietly(parse: Callable[[Any], object]) -> Callable[[Any], object]:
    """A refusal is an answer too."""

    def run(value: Any) -> None:
        with suppress(ValueError, InvalidRequest):
            parse(value)

    return run


PARSERS: dict[str, tuple[Callable[[Any], object], tuple[str, ...]]] = {
    "captions": (
        lambda text: (plain_length(text), weighted_length(text), bare_links(f"{text}. !")),
        ("a", "-", "a-", "a.", ".-", "-a.1-", "@a.", "http://", "\u2190\u200d", "\U0001f1e6"),
    ),
    "contents": (normalize_content, ("<", "<>", "&", "&amp;", "&#9", "&#x9", "&lt;", "a")),
    "addresses": (
        quietly(lambda text: parse_http_address(f"http://{text}").target),
        ("a", "a.", "[", ":", "@", "/", "%", "?", "ä", "ä.", "\u0338", "0x1."),
    ),
    "addresses of Postiz": (quietly(parse_postiz_address), ("a", "a.", "/a", "/.", "/api", "ä")),
    "cron": (quietly(normalize_expression), ("1,", "* ", "*/1,", "0-59,", " ")),
    "cursors": (quietly(decode_cursor), ("A", "=", "!")),
    "JSON": (quietly(read_json), ("[", '{"a":', "1", "[1],", '"', "\\")),
}


@pytest.mark.parametrize(
    ("name", "piece"), [(name, piece) for name, (_, pieces) in PARSERS.items() for piece in pieces]
)
def test_text(name: str, piece: str) -> None:
    assert_linear(PARSERS[name][0], lambda size: piece * (size // len(piece)), most=64_000)


def numbered(form: str) -> Callable[[int], bytes]:
    return lambda size: ",".join(form.format(number) for number in range(size // 8)).encode()


@pytest.mark.parametrize(
    "make",
    [
        numbered("caption_{}"),
        numbered("x{}"),
        numbered("caption"),
        lambda size: b"," * size,
        lambda size: b"\n" * size,
        lambda size: b"\r" * size,
        lambda size: b'"' * size,
        lambda size: b"caption\n" + b"," * size,
        lambda size: b"caption\n" + b'"\n",' * (size // 4),
        lambda size: b"caption\n" + b"a,b\n" * (size // 4),
        lambda size: b"media_ids\n" + b"|" * size,
        lambda size: b"schedule_interval_minutes\n" + b"9" * size,
        lambda size: b"settings\n" + b"[" * size,
        lambda size: b"\n" * size + b"\xff",
    ],
)
def test_a_table(make: Callable[[int], bytes]) -> None:
    assert_linear(quietly(read_table), make, most=256_000)


def test_a_notice_that_names_many_channels() -> None:
    """Its words are cut at 500 characters; the channels may be many."""
    words = [f"{number:02x}" for number in range(160)]
    notice = Notice(content=f"sent to x {' '.join(words)}", created_at=NOW)

    def find(channels: list[Channel]) -> None:
        found = find_reason([notice], channel_id="i0", channels=channels, since=NOW, until=NOW)
        assert found is None

    def make(size: int) -> list[Channel]:
        names = [" ".join(words[n % 160 :][: 1 + n // 160]) for n in range(size // 60)]
        return [Channel(id=f"i{n}", identifier="x", name=name) for n, name in enumerate(names)]

    assert_linear(find, make, most=64_000)
