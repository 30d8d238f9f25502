"""Signing in with an OpenID Connect provider: a real one on loopback, also one that lies."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import select

from shared import redaction
from shared.models import AuditEntry
from shared.people import users
from shared.people.openid_identity import Identity
from shared.people.openid_provider import OpenIdProvider
from tests.servers.api import Api
from tests.servers.browsers import Browser, is_anybody_waiting, make_user
from tests.servers.openid_server import CLIENT_ID, CLIENT_SECRET, OpenIdServer, openid_server
from tests.servers.settings import make_settings
from tests.timing.patience import wait_until
from web.people.openid_pages import ATTEMPT_COOKIE

BAD_KEYS = b'{"keys": [{"kty": "RSA"}, {"kty": 7}]}'
ANN = {"sub": "ann-1", "email": "Ann@example.com", "email_verified": True}


@pytest.fixture
def server() -> Iterator[OpenIdServer]:
    with openid_server(**ANN) as running:
        yield running


@pytest.fixture
def api(bare_api: Api, server: OpenIdServer) -> Iterator[Api]:
    """With the server as its provider."""
    services = bare_api.services
    settings = make_settings(
        services.settings.database_url.get_secret_value(),
        bare_api.home.parent,
        PRESSROOM_OIDC_ISSUER=server.issuer,
        PRESSROOM_OIDC_CLIENT_ID=CLIENT_ID,
        PRESSROOM_OIDC_CLIENT_SECRET=CLIENT_SECRET,
        PRESSROOM_PUBLIC_URL="http://pressroom.test",
    )
    provider = OpenIdProvider(settings, server.issuer)
    bare_api.app.extensions["pressroom"] = replace(services, settings=settings, openid=provider)
    yield bare_api
    bare_api.app.extensions["pressroom"] = services
    provider.close()


def sign_in(browser: Browser, server: OpenIdServer) -> Any:
    """There and back; the answer to the way back."""
    sent = browser.open("GET", "/sign-in/openid")
    assert sent.status_code == 303, sent.text
    return come_back(browser, server.authorize(sent.location or ""))


def come_back(browser: Browser, address: str) -> Any:
    parts = urlsplit(address)
    assert parts.netloc == "pressroom.test"
    return browser.open("GET", f"{parts.path}?{parts.query}")


def test_one_signs_in_and_is_known_by_the_subject_from_then_on(
    api: Api, server: OpenIdServer
) -> None:
    user_id = make_user(api, "ann@example.com", role="publisher")
    browser = Browser(api)
    reply = sign_in(browser, server)
    assert (reply.status_code, reply.location) == (303, "/")
    assert browser.get("/session").json["user"]["id"] == str(user_id)
    with api.services.database.transaction() as session:
        assert {row.actor_id for row in session.scalars(select(AuditEntry))} == {user_id}
    server.person["email"] = "married@example.com"
    again = Browser(api)
    sign_in(again, server)
    assert again.get("/session").json["user"]["id"] == str(user_id)


def test_who_comes_back_twice_at_once_is_known_both_times(bare_api: Api) -> None:
    user_id = make_user(bare_api)
    database, identity = bare_api.services.database, Identity.model_validate(ANN)

    def find() -> int | None:
        with database.transaction() as session:
            user = users.find_openid_user(session, "https://issuer.example", identity)
            return user.id if user else None

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            users.find_openid_user(session, "https://issuer.example", identity)
            session.flush()
            second = pool.submit(find)
            wait_until(lambda: is_anybody_waiting(bare_api))
        assert second.result() == user_id


def test_the_page_offers_it_only_where_there_is_a_provider(api: Api) -> None:
    browser = Browser(api)
    assert "/sign-in/openid" in browser.open("GET", "/sign-in").text
    api.app.extensions["pressroom"] = api.services
    assert "/sign-in/openid" not in browser.open("GET", "/sign-in").text
    assert browser.open("GET", "/sign-in/openid").status_code == 404


def test_an_email_that_only_the_user_info_tells_counts_too(api: Api, server: OpenIdServer) -> None:
    make_user(api, "ann@example.com")
    server.lies = {"email": None, "email_verified": None}
    assert sign_in(Browser(api), server).location == "/"


@pytest.mark.parametrize(
    "person",
    [
        {"email": "nobody@example.com"},
        {"email_verified": False},
        {"email_verified": None},
        {"sub": "somebody-else"},  # whose email is that of a user who is known by a subject
    ],
)
def test_who_is_nobody_here_gets_no_session(
    api: Api, server: OpenIdServer, person: dict[str, Any]
) -> None:
    user_id = make_user(api, "ann@example.com")
    if "sub" in person:
        sign_in(Browser(api), server)
    server.person.update(person)
    browser = Browser(api)
    reply = sign_in(browser, server)
    assert (reply.status_code, browser.token) == (403, None)
    api.call("PATCH", f"/users/{user_id}", json={"disabled": True})
    server.person.update(ANN)
    assert sign_in(browser, server).status_code in {401, 403}
    assert browser.token is None


def test_an_email_of_look_alike_letters_is_another_s(api: Api, server: OpenIdServer) -> None:
    """In small letters, U+212A is a "k"."""
    make_user(api, "kim@example.com")
    server.person["email"] = "\u212aim@example.com"
    assert sign_in(Browser(api), server).status_code == 403
    server.person["email"] = "KIM@example.com"
    assert sign_in(Browser(api), server).location == "/"


@pytest.mark.parametrize(
    "lies",
    [
        {"aud": "another client"},
        {"iss": "https://another.example"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": int(time.time()) - 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": ["a", "list"]},
        {"email": {"an": "object"}},
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    api: Api, server: OpenIdServer, lies: dict[str, Any]
) -> None:
    make_user(api, "ann@example.com")
    server.lies = lies
    assert_refused(api, server)


def assert_refused(api: Api, server: OpenIdServer) -> None:
    browser = Browser(api)
    reply = sign_in(browser, server)
    assert (reply.status_code, browser.token) == (503, None)
    assert "did not work" in reply.text
    assert browser.client.get_cookie(ATTEMPT_COOKIE) is None, "it was good for one answer"


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_that_anybody_could_make_is_refused(
    api: Api, server: OpenIdServer, algorithm: str
) -> None:
    make_user(api, "ann@example.com")
    server.signs_with = algorithm
    assert_refused(api, server)


def test_a_token_of_an_unknown_key_is_refused_and_a_new_key_is_looked_for(
    api: Api, server: OpenIdServer
) -> None:
    make_user(api, "ann@example.com")
    assert sign_in(Browser(api), server).location == "/"
    server.key = RSAKey.generate_key(2048, {"kid": "2"})
    assert sign_in(Browser(api), server).location == "/"
    assert server.calls.count("/keys") == 2
    server.shown_key = server.key
    server.key = RSAKey.generate_key(2048, {"kid": "2"})
    assert_refused(api, server)


def test_an_answer_without_its_own_attempt_asks_nobody(api: Api, server: OpenIdServer) -> None:
    """So nobody is signed in as somebody else by a link."""
    make_user(api, "ann@example.com")
    browser, other = Browser(api), Browser(api)
    address = server.authorize(browser.open("GET", "/sign-in/openid").location or "")
    asked = len(server.calls)
    assert "begin again" in come_back(other, address).text
    other.open("GET", "/sign-in/openid")
    assert "begin again" in come_back(other, address).text
    wrong = address.replace("state=", "state=x")
    assert "begin again" in come_back(browser, wrong).text
    assert "begin again" in come_back(browser, address).text, "its attempt is gone"
    assert (other.token, browser.token, len(server.calls)) == (None, None, asked)


def test_an_answer_works_once(api: Api, server: OpenIdServer) -> None:
    make_user(api, "ann@example.com")
    browser = Browser(api)
    address = server.authorize(browser.open("GET", "/sign-in/openid").location or "")
    cookie = browser.client.get_cookie(ATTEMPT_COOKIE)
    assert come_back(browser, address).location == "/"
    assert cookie is not None
    thief = Browser(api)
    thief.client.set_cookie(ATTEMPT_COOKIE, cookie.value)
    assert come_back(thief, address).status_code == 503
    assert thief.token is None


@pytest.mark.parametrize(
    "said",
    [b"", b"[]", b"{}", b'{"keys": 7}', BAD_KEYS, b'{"a":' * 10_000, b"x" * 2 * 1024**2],
)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
def test_a_provider_that_answers_nonsense_costs_an_attempt_and_no_more(
    api: Api, server: OpenIdServer, path: str, said: bytes
) -> None:
    make_user(api, "ann@example.com")
    server.replies = {path: said}
    browser = Browser(api)
    if path.startswith("/.well-known"):
        reply = browser.open("GET", "/sign-in/openid")
    else:
        reply = sign_in(browser, server)
    assert (reply.status_code, browser.token) == (503, None)
    server.replies = {}
    assert sign_in(Browser(api), server).location == "/"


def test_a_provider_that_calls_itself_otherwise_is_none(api: Api, server: OpenIdServer) -> None:
    server.metadata = {"issuer": "https://another.example"}
    assert Browser(api).open("GET", "/sign-in/openid").status_code == 503


def test_an_admin_gives_a_second_factor_here_too(api: Api, server: OpenIdServer) -> None:
    make_user(api, "ann@example.com", role="admin")
    browser = Browser(api)
    sign_in(browser, server)
    assert browser.open("GET", "/account").location == "/sign-in/second-factor"
    assert browser.get("/profiles").json["code"] == "second_factor_needed"


@pytest.mark.parametrize("said", [b'{"access_token": "of-ann", ', b'["of-ann"]'])
def test_an_answer_that_cannot_be_read_is_not_in_the_log(
    api: Api,
    server: OpenIdServer,
    said: bytes,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Wherever the log of this process goes."""
    server.replies = {"/token": said}
    sign_in(Browser(api), server)
    logged = "".join((*capfd.readouterr(), caplog.text))
    assert "of no use" in logged and "of-ann" not in logged


@pytest.mark.usefixtures("api")
def test_the_secret_of_the_client_is_known_to_the_log(server: OpenIdServer) -> None:
    said = f"{server.issuer} says {CLIENT_SECRET}"
    assert CLIENT_SECRET not in redaction.clean_text(said)
