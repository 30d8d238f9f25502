"""The OpenID Connect provider of the settings: where people sign in, and who they are there.

The protocol is Authlib's. Its calls go through our own transport: a bounded answer in bounded time,
from an address that may be called.
"""

import time
from typing import Annotated, Any, Self

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.sync_app import BaseApp, OAuth2Mixin
from authlib.integrations.base_client.sync_openid import OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from requests.adapters import BaseAdapter

from shared.config import Settings
from shared.errors import Unavailable
from shared.log import get_logger
from shared.net.outbound_route import Route
from shared.net.transport import Broken, NotSent, Transport
from shared.people.openid_identity import Identity

#: Seconds of one call, and for which what the provider says of itself is believed.
CALL_SECONDS = 10.0
BELIEVED_SECONDS = 3600.0
_MOST_BYTES = 1024**2
_ASKED = "openid email profile"
#: Only these can be checked with a key that everybody may see.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "Ed25519")
_KEY_TYPES = ("RSA", "EC", "OKP")
_KEYS = "jwks"
_Text = Annotated[str, Field(min_length=1, max_length=1000)]
_UNUSABLE = (
    AuthlibBaseError,
    JoseError,
    Broken,
    NotSent,
    ValidationError,
    requests.RequestException,
    ValueError,
)

log = get_logger("openid")


class Metadata(BaseModel):
    """What is used of OpenID Connect Discovery 1.0, section 3."""

    issuer: _Text
    authorization_endpoint: _Text
    token_endpoint: _Text
    jwks_uri: _Text
    userinfo_endpoint: _Text | None = None
    id_token_signing_alg_values_supported: list[str] = ["RS256"]
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]


class Key(BaseModel, extra="allow"):
    kty: str


class Keys(BaseModel):
    """RFC 7517, section 5."""

    keys: list[Key]


class Attempt(BaseModel):
    """What is remembered of somebody who was sent to the provider, until they are back."""

    state: str
    nonce: str
    code_verifier: str


class OpenIdProvider:
    """Thread-safe. Every failure is `Unavailable`."""

    def __init__(self, settings: Settings, issuer: str) -> None:
        self.issuer = issuer
        self.callback = f"{settings.public_url}/sign-in/openid/callback"
        self._settings = settings
        self._transport = Transport(_NoAuth(), route=Route.from_settings(settings))
        self._client = self._new_client()
        self._known_since = time.monotonic()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """None where people sign in with passwords only."""
        return None if settings.oidc_issuer is None else cls(settings, settings.oidc_issuer)

    def begin(self) -> tuple[str, Attempt]:
        """Where to send somebody, and what to remember meanwhile."""
        try:
            made = self._current_client().create_authorization_url(self.callback)
            return str(made["url"]), Attempt.model_validate(made)
        except _UNUSABLE as error:
            raise self._unavailable(error) from error

    def identify(self, attempt: Attempt, code: str) -> Identity:
        """Who came back with this code."""
        client = self._current_client()
        try:
            token = client.fetch_access_token(
                self.callback, code=code, code_verifier=attempt.code_verifier
            )
            claims = client.parse_id_token(token, nonce=attempt.nonce)
            if claims is None:
                raise ValueError("it sent no ID token")
            found = Identity.model_validate(dict(claims))
            if found.email is None and client.load_server_metadata().get("userinfo_endpoint"):
                more = Identity.model_validate(dict(client.userinfo(token=token)))
                if more.subject == found.subject:
                    return more
            return found
        except _UNUSABLE as error:
            raise self._unavailable(error) from error

    def close(self) -> None:
        self._transport.close()

    def _current_client(self) -> "_Client":
        if time.monotonic() - self._known_since > BELIEVED_SECONDS:
            self._client, self._known_since = self._new_client(), time.monotonic()
        return self._client

    def _new_client(self) -> "_Client":
        secret = self._settings.oidc_client_secret
        return _Client(
            _Calls(self._transport),
            self.issuer,
            client_id=self._settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
        )

    def _unavailable(self, error: Exception) -> Unavailable:
        log.warning("the OpenID provider is of no use", reason=_reason(error))
        return Unavailable(
            "Your organization's sign-in did not work. Try again; if it stays so, an admin finds "
            "the reason in the log",
            code="openid_failed",
        )


def _reason(error: Exception) -> str:
    """Without what was answered, which has tokens in it."""
    said = str(error)
    if isinstance(error, ValidationError):
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in faults)
    return f"{type(error).__name__}: {said}"


class _Client(OAuth2Mixin, OpenIDMixin, BaseApp):  # type: ignore[misc]
    """Authlib's client. What the provider says of itself is checked, and the rest left out."""

    client_cls = OAuth2Session

    def __init__(self, calls: "_Calls", issuer: str, **credentials: Any) -> None:
        asked = {"scope": _ASKED, "code_challenge_method": "S256", "leeway": 0}
        super().__init__(None, client_kwargs=asked, **credentials)
        self._calls = calls
        self._issuer = issuer
        self.server_metadata: dict[str, Any] = {}

    def load_server_metadata(self) -> dict[str, Any]:
        if not self.server_metadata:
            url = f"{self._issuer}/.well-known/openid-configuration"
            with self._get_session() as session:
                reply = session.get(url, withhold_token=True)
            reply.raise_for_status()
            found = Metadata.model_validate_json(reply.content)
            if found.issuer.rstrip("/") != self._issuer:
                raise ValueError(f"it calls itself {found.issuer}")
            algorithms = [
                name for name in found.id_token_signing_alg_values_supported if name in _ALGORITHMS
            ]
            basic = "client_secret_basic" in found.token_endpoint_auth_methods_supported
            self.client_kwargs["token_endpoint_auth_method"] = (
                "client_secret_basic" if basic else "client_secret_post"
            )
            known = found.model_dump(exclude={"token_endpoint_auth_methods_supported"})
            self.server_metadata = {**known, "id_token_signing_alg_values_supported": algorithms}
        return self.server_metadata

    def fetch_jwk_set(self, force: bool = False) -> dict[str, Any]:
        if force or _KEYS not in self.server_metadata:
            with self._get_session() as session:
                reply = session.get(self.load_server_metadata()["jwks_uri"], withhold_token=True)
            reply.raise_for_status()
            found = Keys.model_validate_json(reply.content)
            usable = [key.model_dump() for key in found.keys if key.kty in _KEY_TYPES]
            self.server_metadata[_KEYS] = {"keys": usable}
        keys: dict[str, Any] = self.server_metadata[_KEYS]
        return keys

    def _get_session(self) -> OAuth2Session:
        return self._guarded(super()._get_session())

    def _get_oauth_client(self, **metadata: Any) -> OAuth2Session:
        return self._guarded(super()._get_oauth_client(**metadata))

    def _guarded(self, session: OAuth2Session) -> OAuth2Session:
        session.trust_env = False
        session.max_redirects = 3
        session.adapters.clear()
        for scheme in ("https://", "http://"):
            session.mount(scheme, self._calls)
        return session


class _Calls(BaseAdapter):
    """The calls of a `requests` session, by our transport."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Raises `ValueError` for an answer that is not a JSON object."""
        reply = self._transport.send(
            request, total=CALL_SECONDS, stall=CALL_SECONDS, most=_MOST_BYTES
        )
        if not reply.is_redirect:
            TypeAdapter(dict[str, Any]).validate_json(reply.content)
        return reply

    def close(self) -> None:
        """None: the transport is the provider's."""


class _NoAuth(requests.auth.AuthBase):
    """Authlib adds what a call needs."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request
