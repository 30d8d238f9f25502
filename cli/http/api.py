"""Requests to the API: with the key, within time limits, again where that is harmless."""

import threading
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import requests
from requests.auth import AuthBase

from cli.failures import CliFailure, LineBroken, UsageFailure
from cli.http.answers import ApiFailure, read_json, require_success
from cli.http.lines import describe_break, proxies_for
from cli.http.patience import Patience, seconds_of_environment
from cli.sign_in import PREFIX, SignIn, name_server

#: Seconds until a connection is made, and between two pieces of an answer.
TIMEOUT = (10.0, 60.0)
PAGE = 1000
Params = Mapping[str, str | int | float | bool | None]


class _Bearer(AuthBase):
    """Set as `auth`, because `requests` puts a password of .netrc in place of a mere header."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Api:
    """Thread-safe. `profile`: whose posts and files; None: the only one of the key. `server`: by
    which what was done there is remembered. `key_mark`: by which the key is known again, and which
    tells nothing of it."""

    def __init__(self, signed_in: SignIn, profile: str | None = None) -> None:
        self.url = signed_in.url
        self.server = name_server(signed_in.url)
        self.profile = profile or signed_in.profile
        self.stop = threading.Event()
        self._auth = _Bearer(signed_in.api_key)
        self.key_mark = sha256(signed_in.api_key.encode()).hexdigest()[:16]
        self._sessions = threading.local()

    def patience(self) -> Patience:
        return Patience(seconds_of_environment(), self.stop)

    def get(self, path: str, params: Params | None = None) -> Any:
        return self.call("GET", path, params=params)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        return self.call("POST", path, body=body, key=key)

    def items(self, path: str, limit: int, params: Params | None = None) -> Iterator[Any]:
        """Of a list of pages, at most `limit`."""
        cursor: str | None = None
        while limit > 0:
            asked = {**(params or {}), "limit": min(limit, PAGE), "cursor": cursor}
            page = self.get(path, asked)
            yield from page["items"]
            limit -= len(page["items"])
            cursor = page["next_cursor"]
            if cursor is None or not page["items"]:
                return

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Params | None = None,
        key: str | None = None,
    ) -> Any:
        """Raises `CliFailure`. `key`: of idempotency, which makes a POST harmless to repeat."""
        patience = self.patience()
        while True:
            try:
                headers = {"Idempotency-Key": key} if key else {}
                reply = self.send(method, path, json=body, params=params, headers=headers)
                require_success(reply)
                return read_json(reply)
            except (ApiFailure, LineBroken) as failure:
                if isinstance(failure, ApiFailure) and failure.code == "profile_missing":
                    self._choose_the_only_profile(failure)
                    continue
                self._wait_if_harmless(failure, patience, repeatable=bool(key) or method == "GET")

    def _wait_if_harmless(
        self, failure: ApiFailure | LineBroken, patience: Patience, *, repeatable: bool
    ) -> None:
        pause = failure.retry_after if isinstance(failure, ApiFailure) else None
        if isinstance(failure, LineBroken) and not repeatable:
            failure.hint = f"{failure.hint or ''} It may have been done: look before you repeat it"
        if not repeatable or (isinstance(failure, ApiFailure) and pause is None):
            raise failure
        patience.wait(failure, pause)

    def _choose_the_only_profile(self, failure: ApiFailure) -> None:
        if self.profile is not None:
            raise failure
        found = self.get("/profiles", {"limit": 2})["items"]
        if len(found) != 1:
            raise UsageFailure(failure.message, hint=failure.hint) from failure
        self.profile = found[0]["id"]

    def require_profile(self) -> str:
        """What the profile is called; "" for that of a key that may not read it."""
        if self.profile is None:
            try:
                found = self.get("/profiles", {"limit": 2})["items"]
            except ApiFailure as failure:
                if failure.status == 403:
                    return ""
                raise
            if len(found) != 1:
                message = "Say for which profile" if found else "There is no profile yet"
                raise UsageFailure(message, hint="--profile ID (pressroom profiles lists them)")
            self.profile = found[0]["id"]
        return self.profile or ""

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] = TIMEOUT,
        **more: Any,
    ) -> requests.Response:
        """One request, its answer unread. Raises `LineBroken`."""
        named = {"X-Profile-Id": self.profile} if self.profile else {}
        try:
            return self._session().request(
                method,
                f"{self.url}{PREFIX}{path}",
                headers={**named, **(headers or {})},
                timeout=timeout,
                stream=True,
                allow_redirects=False,
                proxies=proxies_for(self.url),
                **more,
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise describe_break(self.url, error) from error
        except (requests.RequestException, UnicodeEncodeError) as error:
            raise CliFailure(f"{self.url} cannot be called: {error}") from error

    def _session(self) -> requests.Session:
        """A thread has one of its own: they are not made to be shared."""
        if not hasattr(self._sessions, "own"):
            session = requests.Session()
            session.auth = self._auth
            session.headers["User-Agent"] = "pressroom-cli"
            self._sessions.own = session
        own: requests.Session = self._sessions.own
        return own
