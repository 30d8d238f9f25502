"""A browser of a person: it keeps cookies, and sends what the pages' forms hold."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any, cast

from sqlalchemy import text

from shared.models import User
from shared.people import sessions, users
from tests.servers.api import PREFIX, Api, Reply
from web import session_cookie

PASSWORD = "correct horse battery"


def make_user(
    api: Api,
    email: str = "ann@example.com",
    *,
    role: str = "viewer",
    profiles: list[str] | None = None,
    password: str = PASSWORD,
) -> int:
    with api.services.database.transaction() as session:
        user = users.create_user(session, email=email, name="Ann", role=role, profile_ids=profiles)
        users.set_password(session, user, password)
        return user.id


def is_anybody_waiting(api: Api) -> bool:
    """For a lock in the database."""
    with api.services.database.reading() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


class Browser:
    def __init__(self, api: Api) -> None:
        self._api = api
        self.client = api.app.test_client()

    @classmethod
    def signed_in(cls, api: Api, user_id: int) -> "Browser":
        """Past its second factor."""
        browser = cls(api)
        with api.services.database.transaction() as session:
            user = session.get_one(User, user_id)
            token = sessions.begin_session(session, user, second_factor=True)
        browser.token = token
        return browser

    @property
    def token(self) -> str | None:
        cookie = self.client.get_cookie(session_cookie.NAME)
        return cookie.value if cookie else None

    @token.setter
    def token(self, value: str) -> None:
        self.client.set_cookie(session_cookie.NAME, value)

    def call(self, method: str, path: str, *, csrf: str | None = None, **more: Any) -> Reply:
        """Of the API; `csrf`: instead of the right token, an empty one for none."""
        sent = session_cookie.csrf_token(self.token or "") if csrf is None else csrf
        headers = {
            **more.pop("headers", {}),
            **({session_cookie.CSRF_HEADER: sent} if sent else {}),
        }
        return self.open(method, PREFIX + path, headers=headers, **more)

    def get(self, path: str, **more: Any) -> Reply:
        return self.call("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> Reply:
        return self.call("POST", path, json={} if json is None else json, **more)

    def open(self, method: str, url: str, **more: Any) -> Reply:
        return cast(Reply, self.client.open(url, method=method, **more))

    def submit(self, url: str, fields: Mapping[str, str], *, csrf: str | None = None) -> Reply:
        """Open the page, and send its form with these fields; `csrf`: instead of the form's."""
        page = self.open("GET", url).text
        found = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
        form = {name: unescape(value) for name, value in found.items()}
        if csrf is not None:
            form["csrf"] = csrf
        return self.open("POST", url, data={**form, **fields})
