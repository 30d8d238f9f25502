"""No secret in a log line, whatever carries it there."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from shared import log, redaction
from shared.access.new_keys import new_key
from shared.config import read_settings

FERNET_KEY = Fernet.generate_key().decode()
SEALED = Fernet(FERNET_KEY.encode()).encrypt(b"a postiz key").decode()
API_KEY = new_key()
POSTIZ_KEY = "3f9c plain words, as Postiz makes none"
PASSWORD = "p@ss/w0rd"
SECRETS = {
    "of our API": API_KEY,
    "of a webhook": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "of Postiz's OAuth": "pos_8f7e6d5c4b3a",
    "sealed": SEALED,
    "that seals": FERNET_KEY,
    "known by heart": POSTIZ_KEY,
    "of the database": PASSWORD,
}


@pytest.fixture(params=["json", "text"])
def lines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What reaches standard error, of our loggers and of everybody's."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    log.configure_logging(request.param)
    settings = {
        "POSTIZ_API_KEY": POSTIZ_KEY,
        "DATABASE_URL": "postgresql://pressroom:p%40ss%2Fw0rd@db/pressroom",
    }
    read_settings(settings)
    yield written
    root.handlers[:] = before
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks


class Odd:
    """Shows its secret when it is printed."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"Odd(secret={self.secret!r})"


def carriers(secret: str) -> dict[str, Any]:
    return {
        "plain": f"it was {secret} all along",
        "nested": {"a": [{"b": ({"c": f"<{secret}>"},)}]},
        "bytes": secret.encode(),
        "bytes_in_a_list": [b"x " + secret.encode()],
        "as_a_key": {secret: 1},
        "object": Odd(secret),
        "url": f"https://example.com/?q={secret}",
        "error": ValueError(f"refused: {secret}"),
        "a_set": {secret},
    }


@pytest.mark.parametrize("kind", SECRETS)
def test_no_secret_reaches_a_line_by_any_way(lines: io.StringIO, kind: str) -> None:
    secret = SECRETS[kind]
    ours = log.get_logger("test")
    ours.info(f"in the words: {secret}", **carriers(secret))
    ours.bind(bound=secret).warning("bound before")
    logging.getLogger("somebody's").warning("%s and %r", secret, {"x": secret})

    def breaks() -> None:
        local = secret  # a traceback must not show it
        raise RuntimeError(f"it broke: {local}") from ValueError(secret.encode())

    try:
        breaks()
    except RuntimeError as error:
        ours.exception("an exception")
        ours.error("given", exc_info=error)
        logging.getLogger("somebody's").exception("theirs")
        sys.excepthook(RuntimeError, error, error.__traceback__)
    text = lines.getvalue()
    assert text.count("it broke") >= 4
    assert secret not in text


def test_what_no_thread_caught_is_a_line_too(lines: io.StringIO) -> None:
    def fails() -> None:
        raise RuntimeError(f"with {API_KEY}")

    hook = threading.excepthook
    threading.excepthook = log._log_uncaught_in_thread
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    threading.excepthook = hook
    assert "nobody caught this" in lines.getvalue()
    assert API_KEY not in lines.getvalue()


#: Of no look of their own: known only by what they are called.
NAMELESS = "correct horse 7"


@pytest.mark.parametrize(
    "value",
    [
        {"Authorization": NAMELESS},
        {"headers": [("Authorization", NAMELESS), ("Accept", "x")]},
        {"body": {"tts_settings": {"postiz": {"api_key": NAMELESS}}}},
        {"Set-Cookie": NAMELESS},
        {"admin_key": [NAMELESS]},
        {"PRESSROOM_SECRET_KEYS": NAMELESS},
    ],
)
def test_what_has_a_secret_name_is_blanked_whole(value: dict[str, Any]) -> None:
    assert NAMELESS not in json.dumps(redaction.clean_value(value))


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: hunter22",
        "{'Authorization': 'hunter22', 'Accept': '*/*'}",
        "{'api_key': b'hunter22'}",
        'sent {"apiKey":"hunter22"}',
        "GET /callback?token=hunter22&x=1",
        "https://bucket.example/k?X-Amz-Signature=hunter22&X-Amz-Date=1",
        "postgresql://pressroom:hunter22@db:5432/pressroom is away",
        "redis://:hunter22@127.0.0.1:6379/0",
        "https://hunter22:@example.com/",
        "password=hunter22 host=db",
        "Bearer hunter22",
        "https://bucket.example/k?sv=2024&sig=hunter22&se=2026",
        "{'key': 'hunter22', 'id': '7'}",
        '{"key": "hunter22"}',
        r"""{"body": "{\\"api_key\\": \\"hunter22\\"}"}""",
        "?json=%7B%22token%22%3A%22hunter22%22%7D",
        "key=hunter22",
        "pwd = hunter22",
        "[SQL: UPDATE x SET y=%(y)s]\n[parameters: {'y': 'hunter22', 'id': 7}]\n(Background",
        "DETAIL:  Key (profile_id, name)=(acme, hunter22) already exists.",
        "DETAIL:  Failing row contains (7, null, hunter22\nhunter22).\n[SQL: INSERT",
        "LINE 1: SELECT * FROM keys WHERE id = 'hunter22'",
        "token='hunter22",
        "AKIAHUNTER22HUNTER22 (hunter22)".replace(" (hunter22)", ""),
        "basic aHVudGVyMjI6aHVudGVyMjI= (hunter22)".replace(" (hunter22)", ""),
    ],
)
def test_text_loses_what_it_names_as_secret(text: str) -> None:
    shown = redaction.clean_text(text)
    assert "hunter22" not in shown
    assert "aHVudGVyMjI6" not in shown
    assert "HUNTER22" not in shown
    assert redaction.BLANK in shown


@pytest.mark.parametrize(
    "text",
    [
        "the database is away",
        "there is no key, and the design=bold, monkey=tall: key 7",
        "a key: see the page",
        "GET /posts?startDate=2026-11-22T00:00:00.123Z&endDate=2026-11-23T00:00:00.123Z",
        "account 7 answered 429 until 2026-11-22T10:00:00Z",
        "https://postiz.example.com/public/v1 answers with a web page",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "task pressroom.stage[4f0e5c9e-8f7a-4c55-9f0a-0d2f5a1c3b2d] received",
    ],
)
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert redaction.clean_text(text) == text
    assert redaction.clean_value({"event": text, "account": 7, "none": None}) == {
        "event": text,
        "account": 7,
        "none": None,
    }


def test_a_line_that_holds_itself_ends() -> None:
    endless: dict[str, Any] = {}
    endless["itself"] = endless
    assert redaction.BLANK in str(redaction.clean_value(endless))


def forget_all() -> None:
    for secret in tuple(redaction._known):
        redaction.forget_secret(secret)


def test_secrets_that_begin_alike_or_overlap_are_all_found() -> None:
    for secret in ("abcdef-one", "abcdef-one-more", "one-more-thing"):
        redaction.remember_secret(secret)
    try:
        shown = redaction.clean_text("<abcdef-one> <abcdef-one-more-thing> <one-more-thing> abcdef")
    finally:
        forget_all()
    assert shown == f"<{redaction.BLANK}> <{redaction.BLANK}> <{redaction.BLANK}> abcdef"


def test_it_knows_no_more_by_heart_than_it_can_look_for() -> None:
    for number in range(redaction._MAX_KNOWN + 500):
        redaction.remember_secret(f"secret-{number:06}")
    assert len(redaction._known) == redaction._MAX_KNOWN
    forget_all()
    assert redaction._by_head == {}
