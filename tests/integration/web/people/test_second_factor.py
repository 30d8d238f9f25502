"""The second factor: enrolled on its page, asked for at each sign-in, and never to be guessed."""

import re
import time
from collections.abc import Mapping
from html import unescape

import pyotp
import pytest
from sqlalchemy import func, select, update

from shared.models import AuditEntry, User, UserSession
from shared.people import attempts, second_factor
from tests.servers.api import Api, Reply
from tests.servers.browsers import PASSWORD, Browser, make_user
from web.people.page_session import ACCOUNT, HOME, SECOND_FACTOR, SIGN_IN

RIGHT = {"email": "ann@example.com", "password": PASSWORD}


def sign_in(api: Api, browser: Browser | None = None) -> Browser:
    browser = browser or Browser(api)
    assert browser.submit(SIGN_IN, RIGHT).location == HOME
    return browser


def fields_of(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


def secret_on(page: str) -> str:
    [secret] = re.findall(r"<p>([A-Z2-7]{32})</p>", page)
    return str(secret)


def code_of(secret: str, *, later: int = 0) -> str:
    return pyotp.TOTP(secret).at(time.time(), counter_offset=later)


def send(browser: Browser, form: Mapping[str, str], code: str) -> Reply:
    return browser.open("POST", SECOND_FACTOR, data={**form, "code": code})


def enrol(browser: Browser) -> tuple[str, list[str]]:
    """The secret and the recovery codes."""
    page = browser.open("GET", SECOND_FACTOR).text
    secret = secret_on(page)
    reply = send(browser, fields_of(page), code_of(secret))
    assert reply.status_code == 200, reply.text
    return secret, re.findall(r"<code>([0-9a-f]{16})</code>", reply.text)


def code_used_last(api: Api, secret: str) -> str:
    """By the step that was stored: half a minute may be over meanwhile."""
    with api.services.database.transaction() as session:
        step = session.scalars(select(User.totp_step)).one()
    return pyotp.TOTP(secret).generate_otp(step)


def allow_codes(api: Api) -> None:
    """As if none had been wrong."""
    with api.services.database.transaction() as session:
        session.execute(update(User).values(code_failures=0, next_code_at=func.now()))


def forget_step(api: Api) -> None:
    """As if half a minute had passed since the last code was used."""
    with api.services.database.transaction() as session:
        session.execute(update(User).values(totp_step=0))


def test_an_admin_enrols_and_then_gives_a_code_at_each_sign_in(bare_api: Api) -> None:
    make_user(bare_api, role="admin")
    browser = sign_in(bare_api)
    assert browser.open("GET", ACCOUNT).location == SECOND_FACTOR
    assert browser.get("/profiles").json["code"] == "second_factor_needed"
    before = browser.token
    secret, codes = enrol(browser)
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    assert browser.token != before
    assert browser.get("/users").status_code == 200
    assert "Role: admin" in browser.open("GET", ACCOUNT).text
    again = sign_in(bare_api)
    page = again.open("GET", SECOND_FACTOR).text
    assert secret not in page and "data:image" not in page
    assert again.get("/users").json["code"] == "second_factor_needed"
    forget_step(bare_api)
    assert again.open("GET", "/jobs?page=2").location == SECOND_FACTOR
    assert send(again, fields_of(page), code_of(secret)).location == "/jobs?page=2"
    assert again.get("/users").status_code == 200
    assert Browser(bare_api).open("GET", SECOND_FACTOR).location == SIGN_IN


def test_another_app_takes_its_place_only_with_a_code_of_the_present_one(bare_api: Api) -> None:
    make_user(bare_api, role="admin")
    browser = sign_in(bare_api)
    present, codes = enrol(browser)
    page = browser.open("GET", SECOND_FACTOR).text
    assert "Code of the app that you have now" in page
    form, other = fields_of(page), secret_on(page)
    for given in ("", "000000", code_of(other)):
        reply = send(browser, {**form, "present_code": given}, code_of(other))
        assert reply.status_code == 401
        allow_codes(bare_api)
    form["present_code"] = codes[0]
    assert send(browser, form, "000000").status_code == 401
    allow_codes(bare_api)
    assert send(browser, form, code_of(other)).status_code == 200
    forget_step(bare_api)
    again = sign_in(bare_api)
    form = fields_of(again.open("GET", SECOND_FACTOR).text)
    assert send(again, form, code_of(present)).status_code == 401
    allow_codes(bare_api)
    assert send(again, form, code_of(other)).location == HOME


def test_the_longest_email_has_room_in_the_picture(bare_api: Api) -> None:
    email = "\U0001f600" * 242 + "@example.com"
    make_user(bare_api, email)
    browser = Browser(bare_api)
    assert browser.submit(SIGN_IN, {**RIGHT, "email": email}).location == HOME
    enrol(browser)


def test_a_viewer_may_have_one_and_is_then_asked_for_it(bare_api: Api) -> None:
    make_user(bare_api)
    other, browser = sign_in(bare_api), sign_in(bare_api)
    assert browser.open("GET", ACCOUNT).status_code == 200
    enrol(browser)
    assert browser.get("/profiles").status_code == 200
    assert other.get("/profiles").status_code == 401, "it was begun without this factor"
    assert sign_in(bare_api).get("/profiles").json["code"] == "second_factor_needed"


def test_a_code_works_once_and_one_that_is_near_does_too(bare_api: Api) -> None:
    make_user(bare_api, role="admin")
    secret, _ = enrol(sign_in(bare_api))
    for code, status in ((code_used_last(bare_api, secret), 401), (code_of(secret, later=1), 303)):
        browser = sign_in(bare_api)
        form = fields_of(browser.open("GET", SECOND_FACTOR).text)
        assert send(browser, form, code).status_code == status
    forget_step(bare_api)
    browser = sign_in(bare_api)
    form = fields_of(browser.open("GET", SECOND_FACTOR).text)
    assert send(browser, form, code_of(secret, later=5)).status_code == 401


def test_a_recovery_code_works_once_and_however_it_is_typed(bare_api: Api) -> None:
    make_user(bare_api, role="admin")
    _, codes = enrol(sign_in(bare_api))
    typed = f" {codes[0][:8].upper()}-{codes[0][8:]} "
    for code, status in ((typed, 303), (codes[0], 401), (codes[1], 303)):
        browser = sign_in(bare_api)
        form = fields_of(browser.open("GET", SECOND_FACTOR).text)
        assert send(browser, form, code).status_code == status


def test_who_knows_the_password_does_not_guess_the_code(bare_api: Api) -> None:
    """Signing in anew starts no new count."""
    make_user(bare_api, role="admin")
    enrol(sign_in(bare_api))
    guesses = 0
    while (browser := Browser(bare_api)).submit(SIGN_IN, RIGHT).location == HOME:
        form = fields_of(browser.open("GET", SECOND_FACTOR).text)
        assert send(browser, form, "000000").status_code in {401, 429}
        guesses += 1
    with bare_api.services.database.transaction() as session:
        failures = session.scalar(select(User.failures)) or 0
    assert failures >= max(attempts.FREE, 2 * guesses), "each password and each code has counted"


def test_who_guesses_passwords_keeps_nobody_from_giving_a_code(bare_api: Api) -> None:
    """Of whoever signed in before, or with their organization."""
    make_user(bare_api, role="admin")
    secret, _ = enrol(sign_in(bare_api))
    forget_step(bare_api)
    browser = sign_in(bare_api)
    form = fields_of(browser.open("GET", SECOND_FACTOR).text)
    guesser = Browser(bare_api)
    with bare_api.services.database.transaction() as session:
        session.execute(update(User).values(failures=2 * attempts.FREE))
    guesser.submit(SIGN_IN, {**RIGHT, "password": "not the right one"})
    assert guesser.submit(SIGN_IN, RIGHT).status_code == 401
    assert send(browser, form, code_of(secret)).location == HOME


def test_an_enrolment_is_of_its_session_alone(bare_api: Api) -> None:
    """Who has only the password cannot have somebody else confirm a secret that both know."""
    make_user(bare_api, role="admin")
    thief, owner = sign_in(bare_api), sign_in(bare_api)
    page = thief.open("GET", SECOND_FACTOR).text
    stolen, secret = fields_of(page)["sealed"], secret_on(page)
    form = {**fields_of(owner.open("GET", SECOND_FACTOR).text), "sealed": stolen}
    reply = send(owner, form, code_of(secret))
    assert reply.status_code == 401
    assert secret_on(reply.text) != secret
    for sealed in ("", "x", bare_api.services.box.seal("[]"), bare_api.services.box.seal("7")):
        allow_codes(bare_api)
        assert send(owner, {**form, "sealed": sealed}, code_of(secret)).status_code == 401
    with bare_api.services.database.transaction() as session:
        assert session.scalars(select(User.totp_secret)).all() == [None]


def test_a_wrong_code_shows_the_same_secret_again(bare_api: Api) -> None:
    make_user(bare_api, role="admin")
    browser = sign_in(bare_api)
    page = browser.open("GET", SECOND_FACTOR).text
    reply = send(browser, fields_of(page), "abc")
    assert (reply.status_code, secret_on(reply.text)) == (401, secret_on(page))
    assert send(browser, fields_of(reply.text), code_of(secret_on(page))).status_code == 200


def test_the_secret_is_stored_sealed_and_recovery_codes_as_hashes(bare_api: Api) -> None:
    make_user(bare_api, role="admin")
    secret, codes = enrol(sign_in(bare_api))
    with bare_api.services.database.transaction() as session:
        user = session.scalars(select(User)).one()
        assert bare_api.services.box.open(user.totp_secret or "") == secret
        assert not set(codes) & set(user.recovery_hashes)


def test_an_admin_helps_somebody_who_has_lost_it(bare_api: Api) -> None:
    user_id = make_user(bare_api, role="admin")
    browser = sign_in(bare_api)
    first, _ = enrol(browser)
    body = {"reset_second_factor": True}
    assert bare_api.call("PATCH", f"/users/{user_id}", json=body).status_code == 200
    assert browser.get("/users").status_code == 401
    second, _ = enrol(sign_in(bare_api))
    assert second != first


def test_what_people_change_of_themselves_is_in_the_audit_trail(bare_api: Api) -> None:
    user_id = make_user(bare_api, role="admin", profiles=None)
    browser = sign_in(bare_api)
    enrol(browser)
    browser.submit("/sign-out", {})
    with bare_api.services.database.transaction() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        assert session.scalars(select(UserSession)).all() == []
    assert [row.operation for row in rows] == ["sign_in", "give_second_factor", "sign_out"]
    assert {(row.actor_kind, row.actor_id, row.actor_name) for row in rows} == {
        ("user", user_id, "ann@example.com")
    }
    assert all(row.targets == {"users": str(user_id)} for row in rows)
    shown = bare_api.get(f"/audit?user={user_id}").json["items"]
    assert [each["operation"] for each in shown] == [row.operation for row in reversed(rows)]
    assert bare_api.get("/audit?user=999").json["items"] == []


@pytest.mark.parametrize("length", [20_000, 5_000_000])
def test_a_long_form_is_not_read(bare_api: Api, length: int) -> None:
    browser = Browser(bare_api)
    browser.open("GET", SIGN_IN)
    reply = browser.open("POST", SIGN_IN, data={"email": "x" * length})
    assert reply.status_code == 413
