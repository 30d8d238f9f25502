"""When a request is complete enough for a thread, however it comes in pieces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.arriving_request import MAX_HEAD, SHORT_BODY, ArrivingRequest, Progress

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = SHORT_BODY + 1


def post(length: int, *more: str) -> bytes:
    lines = ["POST /a HTTP/1.1", "Host: a", f"content-length:{length} ", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def taken(*pieces: bytes) -> list[Progress]:
    arriving = ArrivingRequest(now=0)
    return [arriving.take(piece) for piece in pieces]


@pytest.mark.parametrize(
    "whole",
    [
        GET,
        post(4) + b"body",
        post(0),
        CHUNKED + b"4\r\nbody\r\n0\r\n\r\n",
        post(SHORT_BODY) + bytes(SHORT_BODY),
    ],
)
def test_a_short_request_is_ready_with_its_last_byte(whole: bytes) -> None:
    assert taken(whole[:-1], whole[-1:]) == [Progress.COMING, Progress.READY]


@given(st.lists(st.integers(0, len(GET + post(4)) + 4), max_size=12))
def test_it_does_not_matter_where_it_is_cut(cuts: list[int]) -> None:
    for whole in (GET, post(4, "Expect: 100-continue") + b"body"):
        edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
        arriving = ArrivingRequest(now=0)
        seen = [arriving.take(whole[a:b]) for a, b in itertools.pairwise(edges)]
        assert seen[-1] is Progress.READY
        assert seen.count(Progress.EXPECTED) <= 1
        assert arriving.received == len(whole)


OFFSET = "CONTENT-type:  application/offset+octet-stream"


@pytest.mark.parametrize(
    "head",
    [
        post(LONG),
        post(LONG, "Expect: 100-continue"),
        post(10**17),
        post(4, OFFSET),
        post(4, f"{OFFSET} ; a=b"),
        CHUNKED[:-2] + f"{OFFSET}\r\n\r\n".encode(),
    ],
)
def test_a_long_body_or_one_of_an_upload_is_not_waited_for(head: bytes) -> None:
    assert taken(head) == [Progress.READY]


def test_chunks_are_kept_up_to_the_length_of_a_short_body() -> None:
    assert taken(CHUNKED, bytes(SHORT_BODY), b"\0") == [
        Progress.COMING,
        Progress.COMING,
        Progress.READY,
    ]


def test_who_asks_whether_to_go_on_is_told_once_and_the_server_is_not_asked_again() -> None:
    arriving = ArrivingRequest(now=0)
    head = post(4, "EXPECT:100-continue", "X-A: b")
    assert arriving.take(head) is Progress.EXPECTED
    assert arriving.take(b"bo") is Progress.COMING
    assert arriving.take(b"dy") is Progress.READY
    assert arriving.content == post(4, "X-A: b") + b"body"


def test_what_comes_behind_a_request_is_kept_for_the_next() -> None:
    arriving = ArrivingRequest(now=0)
    assert arriving.take(GET + GET) is Progress.READY
    assert arriving.content == GET + GET


def test_a_head_without_an_end_is_too_long() -> None:
    piece = b"a" * 1024
    seen = taken(*[piece] * (MAX_HEAD // len(piece)), piece)
    assert seen == [*[Progress.COMING] * (MAX_HEAD // len(piece)), Progress.TOO_LONG]
