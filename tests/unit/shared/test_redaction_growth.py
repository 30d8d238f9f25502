"""Attack 1: no text makes the search for secrets long: it grows with the text, which is cut."""

import time
from functools import partial

import pytest

from shared import redaction
from tests.timing.growth import assert_linear

#: What a pattern may begin with, find a part of, or look back for, again and again.
PIECES = [
    "a",
    "-",
    "_",
    " ",
    "'",
    "\\",
    ":",
    "://",
    "://a",
    "://a:",
    "://:",
    "token",
    "token ",
    "token=",
    "token='",
    'token="',
    "token: SecretStr(",
    "token=SecretStr( ",
    "token%3D",
    "key=",
    "'key': '",
    "sig = ",
    "bearer ",
    "basic \t",
    "gAAAA",
    "gAAAA-",
    "pk_",
    "whsec_a ",
    "AKIA",
    "[parameters: ",
    "LINE 1: ",
    "Key (a",
    "Key (a)=(",
    "Failing row contains (",
    "\n[SQL: ",
]


def repeated(piece: str, size: int) -> str:
    return (piece * (size // len(piece) + 1))[:size]


@pytest.mark.parametrize("piece", PIECES)
def test_the_search_takes_time_in_proportion_to_the_text(piece: str) -> None:
    for end in ("", "!", "="):
        assert_linear(
            partial(redaction.clean_text, most=1_000_000),
            lambda size, end=end: repeated(piece, size) + end,  # type: ignore[misc]
            most=64_000,
        )


def test_many_known_secrets_take_no_longer_than_few() -> None:
    text = "deadbeef" * 2_000
    few = _seconds(text)
    for number in range(1_000):
        redaction.remember_secret(f"{number:06}-deadbeef-deadbeef-deadbeef")
    try:
        assert _seconds(text) < 3 * few + 0.01
    finally:
        for number in range(1_000):
            redaction.forget_secret(f"{number:06}-deadbeef-deadbeef-deadbeef")


def _seconds(text: str) -> float:
    began = time.thread_time()
    for _ in range(3):
        redaction.clean_text(text)
    return time.thread_time() - began


def test_a_text_is_cut_before_it_is_searched() -> None:
    long, longer = "token=a " * 10_000, "token=a " * 1_000_000
    redaction.clean_text(long)
    began = time.thread_time()
    redaction.clean_text(long)
    between = time.thread_time()
    shown = redaction.clean_text(longer)
    assert time.thread_time() - between < 9 * (between - began + 0.002)
    assert len(shown) < 2 * redaction.MAX_TEXT
    assert shown.endswith("(shortened)")


@pytest.mark.parametrize("before", range(redaction.MAX_TEXT - 60, redaction.MAX_TEXT + 10, 7))
@pytest.mark.parametrize("secret", ["token='{}'", "pk_{}", "known: {}"])
def test_the_cut_shows_no_part_of_a_secret(before: int, secret: str) -> None:
    value = "hunter2hunter2hunter2hunter2hunter2"
    redaction.remember_secret(value)
    try:
        shown = redaction.clean_text("x" * (before - 1) + " " + secret.format(value) + "y" * 99_000)
    finally:
        redaction.forget_secret(value)
    assert "hunter" not in shown


def test_a_line_has_a_limit_of_values_and_of_text() -> None:
    many = redaction.clean_value({"ids": list(range(100_000)), "text": ["x" * 9_000] * 400})
    assert len(str(many)) < 3 * redaction.MAX_TEXT
    assert len(str(redaction.clean_value([["a"] * 100] * 100_000))) < 3 * redaction.MAX_TEXT
