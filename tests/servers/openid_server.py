"""A small OpenID Connect provider: discovery, keys, authorization, tokens and user info.

It checks what a provider must (client, redirect, code used once, PKCE), and tells the lies that a
test gives it.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.servers.http_server import http_server

CLIENT_ID, CLIENT_SECRET = "pressroom", "client secret with: colon"
CODE_LASTS = 60.0


@dataclass
class OpenIdServer:
    """`person`: who signs in. `lies`: claims in place of the right ones (None: left out).

    `metadata` and `replies` take the place of what it would say of itself, and at a path.
    """

    issuer: str
    person: dict[str, Any]
    lies: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    replies: dict[str, bytes] = field(default_factory=dict)
    signs_with: str = "RS256"
    calls: list[str] = field(default_factory=list)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    shown_key: RSAKey | None = None
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "something_else": {"of": ["no", "use"]},
            **self.metadata,
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [(self.shown_key or self.key).as_dict(private=False)]}

    def authorize(self, url: str) -> str:
        """What a browser is sent back to, once its person has signed in there."""
        asked = {name: each[0] for name, each in parse_qs(urlsplit(url).query).items()}
        assert (asked["client_id"], asked["response_type"]) == (CLIENT_ID, "code")
        assert "openid" in asked["scope"].split() and asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        answer = urlencode({"code": code, "state": asked["state"]})
        return f"{asked['redirect_uri']}?{answer}"

    def exchange(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """Tokens for a code; an error for what is not as it was asked for."""
        login = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization != f"Basic {login}":
            return {"error": "invalid_client"}
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form.get("redirect_uri")
        ):
            return {"error": "invalid_grant"}
        return {
            "access_token": "access",
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self._sign(asked["nonce"]),
        }

    def _sign(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 60,
            "nonce": nonce,
            **self.person,
            **self.lies,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.signs_with, "kid": str(self.key.kid)}
        if self.signs_with == "none":
            return ".".join([*map(_encode, (header, claims)), ""])
        shared = OctKey.import_key(CLIENT_SECRET)
        return jwt.encode(header, claims, shared if self.signs_with == "HS256" else self.key)

    def answer(self, path: str, form: dict[str, str], authorization: str) -> bytes:
        self.calls.append(path)
        if path in self.replies:
            return self.replies[path]
        match path:
            case "/.well-known/openid-configuration":
                said = self.describe()
            case "/keys":
                said = self.keys()
            case "/token":
                said = self.exchange(form, authorization)
            case _:
                said = self.person if authorization == "Bearer access" else {"error": "no token"}
        return json.dumps(said).encode()


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _handler(server: OpenIdServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._reply({name: each[0] for name, each in parse_qs(body).items()})

        def _reply(self, form: dict[str, str]) -> None:
            path = urlsplit(self.path).path
            said = server.answer(path, form, self.headers.get("Authorization", ""))
            self.send_response(400 if b'"error"' in said[:10] else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler


@contextmanager
def openid_server(**person: Any) -> Iterator[OpenIdServer]:
    found = OpenIdServer("", person)
    with http_server(_handler(found)) as found.issuer:
        yield found
