"""The pages: signing in and out, and links that work once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, update

from shared.db import Database
from shared.models import OneTimeLink, User
from shared.people import one_time_links, users
from tests.servers.api import Api
from tests.servers.browsers import PASSWORD, Browser, is_anybody_waiting, make_user
from tests.servers.settings import make_settings
from tests.timing.patience import wait_until
from web.http_layer.security_headers import PAGE_POLICY
from web.people.page_session import ACCOUNT, HOME, WANTED_COOKIE
from web.people.rendering import FORM_COOKIE
from web.session_cookie import csrf_token

RIGHT = {"email": "ann@example.com", "password": PASSWORD}
FIRST = {"email": "Boss@example.com", "name": "Boss", "password": PASSWORD}


def first_link(api: Api) -> str:
    with api.services.database.transaction() as session:
        return one_time_links.invite_first_admin(session) or ""


def test_one_signs_in_with_a_new_token_each_time_and_out(bare_api: Api) -> None:
    make_user(bare_api)
    browser = Browser(bare_api)
    browser.token = "planted"
    reply = browser.submit("/sign-in", RIGHT)
    assert (reply.status_code, reply.location) == (303, HOME)
    first = browser.token
    assert first not in {None, "planted"}
    assert browser.get("/session").json["user"]["email"] == "ann@example.com"
    browser.submit("/sign-in", RIGHT)
    assert browser.token != first
    older = Browser(bare_api)
    older.token = first or ""
    assert older.get("/session").status_code == 401
    last = browser.token
    assert browser.submit("/sign-out", {}).location == "/sign-in"
    older.token = last or ""
    assert (browser.token, older.get("/session").status_code) == (None, 401)


def test_one_comes_to_the_page_that_one_wanted_once(bare_api: Api) -> None:
    make_user(bare_api)
    browser = Browser(bare_api)
    wanted = "/posts?state=failed&q=caf%C3%A9"
    assert browser.open("GET", wanted).location == "/sign-in"
    refused = browser.submit("/sign-in", {**RIGHT, "password": "not this one"})
    assert refused.status_code == 401
    assert 'value="ann@example.com"' in refused.text, "only what was wrong is typed anew"
    assert "not this one" not in refused.text
    assert browser.submit("/sign-in", RIGHT).location == wanted
    assert browser.submit("/sign-in", RIGHT).location == HOME


@pytest.mark.parametrize(
    "planted",
    [
        "//evil.example/",
        "//[",
        "/\\evil.example/",
        "https://evil.example/",
        "/\t/evil.example",
        "posts",
        "/x" * 2000,
    ],
)
def test_nobody_is_led_elsewhere_by_the_page_that_was_wanted(bare_api: Api, planted: str) -> None:
    make_user(bare_api)
    browser = Browser(bare_api)
    browser.client.set_cookie(WANTED_COOKIE, planted)
    assert browser.submit("/sign-in", RIGHT).location == HOME
    assert browser.client.get_cookie(WANTED_COOKIE) is None


@pytest.mark.parametrize("path", ["/%2Fevil.example", "//evil.example", "/%5Cevil.example"])
def test_an_address_that_looks_like_another_host_is_not_kept(bare_api: Api, path: str) -> None:
    browser = Browser(bare_api)
    browser.open("GET", path)
    kept = browser.client.get_cookie(WANTED_COOKIE)
    assert kept is None


@pytest.mark.parametrize("wrong", [{"password": "not this one"}, {"email": "b@example.com"}])
def test_a_wrong_password_and_an_unknown_email_look_alike(
    bare_api: Api, wrong: dict[str, str]
) -> None:
    make_user(bare_api)
    browser = Browser(bare_api)
    reply = browser.submit("/sign-in", {**RIGHT, **wrong})
    assert (reply.status_code, browser.token) == (401, None)
    assert "The email or the password is wrong" in reply.text


def test_a_cookie_is_for_no_script_and_no_other_site(bare_api: Api) -> None:
    make_user(bare_api)
    secure = {"base_url": "https://pressroom.example"}
    browser = Browser(bare_api)
    page = browser.open("GET", "/sign-in")
    assert page.headers["Content-Security-Policy"] == PAGE_POLICY and "<script" not in page.text
    [cookie] = browser.submit("/sign-in", RIGHT).headers.getlist("Set-Cookie")
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
    [form] = Browser(bare_api).open("GET", "/sign-in", **secure).headers.getlist("Set-Cookie")
    assert "Secure" in form and "HttpOnly" in form


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/sign-in/link/x"])
def test_a_form_of_another_site_is_refused(bare_api: Api, path: str) -> None:
    make_user(bare_api)
    browser, other = Browser(bare_api), Browser(bare_api)
    other.open("GET", "/sign-in")
    cookie = other.client.get_cookie(FORM_COOKIE)
    assert cookie is not None
    for csrf in ("", "x", csrf_token(cookie.value)):
        browser.open("GET", "/sign-in")
        reply = browser.open("POST", path, data={**RIGHT, "csrf": csrf})
        assert (reply.status_code, "open its page again" in reply.text) == (403, True)
        assert browser.token is None


def test_an_invited_user_sets_a_password_once(bare_api: Api) -> None:
    body = {"email": "ann@example.com", "name": "Ann", "role": "viewer"}
    link = bare_api.post("/users", body).json["link"]
    browser = Browser(bare_api)
    short = browser.submit(link, {"password": "short"})
    assert (short.status_code, "12 to 200" in short.text) == (422, True)
    assert browser.submit(link, {"password": PASSWORD}).location == HOME
    assert browser.get("/session").json["user"]["email"] == "ann@example.com"
    assert browser.open("GET", link).status_code == 404
    assert browser.submit("/sign-in", RIGHT).location == HOME


def test_a_link_ends_with_its_time_and_with_a_newer_one(bare_api: Api) -> None:
    user_id = make_user(bare_api)
    first, second = (bare_api.post(f"/users/{user_id}/invite").json["link"] for _ in range(2))
    browser = Browser(bare_api)
    assert [browser.open("GET", link).status_code for link in (first, second)] == [404, 200]
    with bare_api.services.database.transaction() as session:
        session.execute(update(OneTimeLink).values(valid_until=func.now()))
    assert browser.open("GET", second).status_code == 404


def test_a_link_that_ends_while_it_is_used_waits_for_nobody_for_ever(bare_api: Api) -> None:
    """Whoever ends it has locked the user first: so does who uses it."""
    user_id = make_user(bare_api)
    link = bare_api.post(f"/users/{user_id}/invite").json["link"]
    database = bare_api.services.database
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            user = users.lock_user(session, user_id)
            using = pool.submit(Browser(bare_api).submit, link, {"password": PASSWORD})
            wait_until(lambda: is_anybody_waiting(bare_api))
            one_time_links.invite_user(session, user)
        assert using.result().status_code == 404


def test_the_first_admin_is_made_once(bare_api: Api) -> None:
    link = first_link(bare_api)
    browsers = [Browser(bare_api) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        forms = [{**FIRST, "email": f"boss{n}@example.com"} for n in range(4)]
        replies = list(pool.map(lambda n: browsers[n].submit(link, forms[n]), range(4)))
    assert [reply.status_code for reply in replies].count(303) == 1
    with bare_api.services.database.transaction() as session:
        user = session.query(User).one()
        assert (user.role, user.profile_ids) == ("admin", None)
    assert first_link(bare_api) == ""
    assert browsers[0].submit("/sign-in", {**FIRST, "email": user.email}).location == HOME
    assert browsers[0].open("GET", ACCOUNT).location == "/sign-in/second-factor"


def test_a_first_link_is_of_no_use_once_somebody_exists(bare_api: Api) -> None:
    link = first_link(bare_api)
    make_user(bare_api)
    assert Browser(bare_api).open("GET", link).status_code == 404


def test_pages_say_in_words_that_the_database_is_away(
    bare_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For people, who read no problem+json."""
    away = Database.connect(make_settings("postgresql://pressroom@127.0.0.1:9/x", bare_api.home))
    monkeypatch.setattr(bare_api.services.database, "engine", away.engine)
    browser = Browser(bare_api)
    reply = browser.submit("/sign-in", RIGHT)
    assert (reply.status_code, reply.mimetype) == (503, "text/html")
    assert "The database is away" in reply.text
    assert int(reply.headers["Retry-After"]) > 0
    away.close()
