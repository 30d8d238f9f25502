"""What Postiz's replies mean (bodies as recorded)."""

import json
import time
from datetime import UTC, datetime

import pytest
import requests

from shared.errors import (
    CredentialsRejected,
    OutcomeUnknown,
    PostRejected,
    PublisherError,
    RateLimited,
    Transient,
    WrongBaseUrl,
)
from shared.postiz.responses import budget_of, error_of, hide_secret, sent_at


def reply(status: int, body: object = None, **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    text = body if isinstance(body, str) else json.dumps(body)
    made._content = b"" if body is None else text.encode()
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    made.request = requests.Request("POST", "https://postiz.example/public/v1/posts").prepare()
    return made


HTML = {"Content_Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (reply(401, {"msg": "Invalid API key"}), CredentialsRejected, "Invalid API key"),
        (reply(401, {"msg": "No subscription found"}), CredentialsRejected, "subscription"),
        (reply(401, logout="true"), Transient, "database"),
        (
            reply(402, {"message": "Upgrade", "url": "u"}),
            CredentialsRejected,
            "plan",
        ),
        (
            reply(413, {"message": "request entity too large"}),
            PostRejected,
            "large",
        ),
        (reply(403, "<html>", **HTML), WrongBaseUrl, "web page"),
        (reply(408, "<html>", **HTML), OutcomeUnknown, "408"),
        (reply(413, "<html>", **HTML), PostRejected, "proxy"),
        (reply(404, {"message": "Cannot POST /x", "statusCode": 404}), WrongBaseUrl, "404"),
        (reply(404, {"detail": "Not Found"}), WrongBaseUrl, "404"),
        (reply(404, {"msg": "Post not found"}), PostRejected, "Post not found"),
        (reply(307, None, Location="/auth/login"), WrongBaseUrl, "/auth/login"),
        (reply(404, "<html>", **HTML), WrongBaseUrl, "web page"),
        (reply(502, "<html>", **HTML), OutcomeUnknown, "502"),
        (
            reply(500, {"message": "Internal server error"}),
            OutcomeUnknown,
            "500",
        ),
        (
            reply(400, {"statusCode": 400, "provider": "x", "name": "X", "message": "too long"}),
            PostRejected,
            "x: too long",
        ),
    ],
)
def test_the_class_of_an_answer(
    answer: requests.Response, kind: type[PublisherError], words: str
) -> None:
    error = error_of(answer, "POST /posts")
    assert type(error) is kind
    assert words in error.message


@pytest.mark.parametrize(
    ("message", "index"),
    [
        (["posts.2.settings.title must be a string", "posts.2.settings.type must be one"], 2),
        (["posts.0.value.0.image must be an array"], 0),
        (["posts.0.value.x", "posts.1.value.x"], None),
        ("Integration with id nope not found", None),
    ],
)
def test_the_offender_is_read_from_the_message(message: object, index: int | None) -> None:
    error = error_of(reply(400, {"message": message, "statusCode": 400}), "POST /posts")
    assert isinstance(error, PostRejected)
    assert error.index == index


def test_a_429_says_until_when() -> None:
    error = error_of(reply(429, {"statusCode": 429}, Retry_After="3600"), "POST /posts")
    assert isinstance(error, RateLimited)
    assert 3500 < (error.until.timestamp() - time.time()) < 3700


def test_the_budget_is_read_from_the_headers_where_all_are_there() -> None:
    headers = {"X_RateLimit_Limit": "90", "X_RateLimit_Remaining": "12", "X_RateLimit_Reset": "60"}
    told = budget_of(reply(201, [], **headers))
    assert told is not None
    assert (told.limit, told.remaining) == (90, 12)
    assert budget_of(reply(429, {}, Retry_After="3600")) is None


@pytest.mark.parametrize(
    "answer",
    [
        reply(401, {"msg": "Invalid key a/key=1"}),
        reply(307, None, Location="https://login.example/?key=a%2Fkey%3D1"),
    ],
)
def test_a_key_that_the_answer_repeats_is_hidden(answer: requests.Response) -> None:
    error = hide_secret(error_of(answer, "GET /integrations"), "a/key=1")
    for text in (error.message, str(error)):
        assert "••••" in text
        assert "key=1" not in text
        assert "key%3D1" not in text


def test_the_clock_of_the_other_side_is_read_where_it_can_be() -> None:
    told = sent_at(reply(200, {}, Date="Sun, 22 Nov 2026 14:00:00 GMT"))
    assert told == datetime(2026, 11, 22, 14, tzinfo=UTC)
    assert sent_at(reply(200, {}, Date="yesterday")) is None
    assert sent_at(reply(200, {})) is None
