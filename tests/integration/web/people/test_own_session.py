"""Own sessions: what they show, how they end, and what another site cannot have them do."""

from datetime import timedelta

import pytest
from sqlalchemy import func, update

from shared.db import Database
from shared.models import User, UserSession
from shared.people import attempts, sessions, users
from tests.servers.api import Api
from tests.servers.browsers import PASSWORD, Browser, make_user

ANOTHER = "a quite different password"


def test_a_session_shows_who_it_is_and_its_token_stands_nowhere(bare_api: Api) -> None:
    browser = Browser.signed_in(bare_api, make_user(bare_api, role="publisher"))
    shown = browser.get("/session").json
    assert (shown["user"]["email"], shown["scopes"]) == ("ann@example.com", ["publish", "read"])
    token = browser.token
    assert token is not None and token not in browser.get("/session").text
    with bare_api.services.database.transaction() as session:
        assert token not in str(vars(session.query(UserSession).one()))


def test_a_session_is_a_person_s_and_not_a_key_s(bare_api: Api) -> None:
    assert bare_api.get("/session").json["code"] == "not_a_person"
    assert bare_api.get("/session", key=None).status_code == 401


@pytest.mark.parametrize("wrong", ["", "x", "é"])
def test_what_another_site_has_a_browser_send_is_refused(bare_api: Api, wrong: str) -> None:
    browser = Browser.signed_in(bare_api, make_user(bare_api, role="admin"))
    other = Browser.signed_in(bare_api, make_user(bare_api, "b@example.com"))
    foreign = other.get("/session").json["csrf_token"]
    for token in (wrong, foreign):
        for method, path in (
            ("POST", "/keys"),
            ("PATCH", "/users/1"),
            ("DELETE", "/session"),
            ("PUT", "/profiles/x"),
        ):
            reply = browser.call(method, path, csrf=token, json={})
            assert (reply.status_code, reply.json["code"]) == (403, "csrf"), (method, path)
    right = browser.get("/session").json["csrf_token"]
    assert browser.call("DELETE", "/session", csrf=right).status_code == 204


def test_a_session_ends_when_it_is_idle_and_when_its_day_is_over(bare_api: Api) -> None:
    user_id = make_user(bare_api)
    for ended in (
        {"ends_at": func.now()},
        {"last_used_at": func.now() - sessions.IDLE},
    ):
        browser = Browser.signed_in(bare_api, user_id)
        assert browser.get("/profiles").status_code == 200
        with bare_api.services.database.transaction() as session:
            session.execute(update(UserSession).values(ended))
        assert browser.get("/profiles").status_code == 401


def test_a_session_that_is_used_goes_on(bare_api: Api) -> None:
    browser = Browser.signed_in(bare_api, make_user(bare_api))
    nearly = func.now() - sessions.IDLE + timedelta(minutes=5)
    with bare_api.services.database.transaction() as session:
        session.execute(update(UserSession).values(last_used_at=nearly))
    assert browser.get("/profiles").status_code == 200
    with bare_api.services.database.transaction() as session:
        row = session.query(UserSession).one()
        assert row.last_used_at >= row.created_at


def test_one_signs_out_here_or_everywhere(bare_api: Api) -> None:
    user_id = make_user(bare_api)
    one, two, three = (Browser.signed_in(bare_api, user_id) for _ in range(3))
    assert one.call("DELETE", "/session").status_code == 204
    assert one.token is None
    assert [each.get("/session").status_code for each in (one, two, three)] == [401, 200, 200]
    assert two.post("/session/end-everywhere").status_code == 204
    assert [each.get("/session").status_code for each in (one, two, three)] == [401] * 3


def test_a_changed_password_ends_every_other_session(bare_api: Api) -> None:
    user_id = make_user(bare_api)
    one, two = (Browser.signed_in(bare_api, user_id) for _ in range(2))
    before = one.token
    body = {"current_password": "wrong password", "new_password": ANOTHER}
    assert one.post("/session/password", body).json["code"] == "wrong_password"
    body["current_password"] = PASSWORD
    short = one.post("/session/password", {**body, "new_password": "short"})
    assert (short.status_code, short.json["code"]) == (422, "password_refused")
    assert one.post("/session/password", body).status_code == 200
    assert one.token != before
    assert [each.get("/session").status_code for each in (one, two)] == [200, 401]
    two.token = before or ""
    assert two.get("/session").status_code == 401


@pytest.mark.parametrize("meanwhile", ["second factor", "password", "disabled"])
def test_a_session_that_ends_while_its_password_changes_gets_no_other(
    bare_api: Api, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """Else an earlier password goes on, or a factor counts that was never given."""
    user_id = make_user(bare_api)
    browser = Browser.signed_in(bare_api, user_id)
    check_password = attempts.check_password

    def check_slowly(database: Database, email: str, password: str) -> User | None:
        found = check_password(database, email, password)
        with database.transaction() as session:
            user = users.lock_user(session, user_id)
            if meanwhile == "second factor":
                user.totp_secret = "sealed"
                sessions.end_sessions(session, [user_id])
            elif meanwhile == "password":
                users.set_password(session, user, "the owner's new password")
            else:
                user.disabled = True
        return found

    monkeypatch.setattr(attempts, "check_password", check_slowly)
    body = {"current_password": PASSWORD, "new_password": ANOTHER}
    reply = browser.post("/session/password", body)
    assert (reply.status_code, reply.json["code"]) == (403, "session_ended")
    monkeypatch.undo()
    assert browser.get("/session").status_code == 401
    assert attempts.check_password(bare_api.services.database, "ann@example.com", ANOTHER) is None


def test_an_admin_without_a_second_factor_may_do_nothing_yet(bare_api: Api) -> None:
    user_id = make_user(bare_api, role="admin")
    browser = Browser.signed_in(bare_api, user_id)
    with bare_api.services.database.transaction() as session:
        session.execute(update(UserSession).values(second_factor=False))
    shown = browser.get("/session").json
    assert (shown["second_factor"], shown["scopes"]) == ("to_be_enrolled", [])
    replies = [browser.get("/profiles"), browser.post("/keys", {"name": "k", "scopes": ["read"]})]
    body = {"current_password": PASSWORD, "new_password": ANOTHER}
    replies.append(browser.post("/session/password", body))
    assert {reply.json["code"] for reply in replies} == {"second_factor_needed"}
