"""Finds the Postiz API behind the address that a user gave, and says what is wrong."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.config import Settings
from shared.errors import (
    CredentialsRejected,
    InvalidRequest,
    PressroomError,
    PublisherError,
    SettingsChanged,
    WrongBaseUrl,
)
from shared.http_address import MalformedAddress, parse_postiz_address
from shared.net.outbound_route import UNRESOLVED, Route, require_address, require_allowed
from shared.postiz.client import Postiz, RemoteIntegration

#: The two paths of Postiz's public API: from source and hosted, and in its Docker image.
API_PATHS = ("/public/v1", "/api/public/v1")
_VERSION_PATH = re.compile(r"(?:/api)?/public/v1$")
#: The path of the API, or a part of it, at the end of the address that a user gives.
_API_PATH = re.compile(r"(?:/api)*(?:/public/v1)?/?$")
MINIMUM_VERSION = "v2.21.7"
TOO_OLD = (
    "This Postiz has no route to change a post's status. "
    f"Upgrade it to {MINIMUM_VERSION} (April 2026) or later."
)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What was found. `integrations` is None if the list could not be read.

    `code`: ok, unreachable, unresolved_host, not_the_postiz_api, credentials_rejected, plan_limit,
    postiz_too_old.
    """

    code: str
    detail: str
    server: str
    base_url: str | None = None
    integrations: Sequence[RemoteIntegration] | None = None

    @property
    def ok(self) -> bool:
        return self.code == "ok"


def server_of(address: str) -> str:
    """The address of Postiz without the path of its API: the same for each form of its address.

    It is also the same for each of its `candidate_urls`. A malformed address is its own server,
    because it is never called.
    """
    try:
        parsed = parse_postiz_address(address)
    except MalformedAddress:
        return address
    return parsed.origin + _API_PATH.sub("", parsed.path)


def candidate_urls(address: str) -> list[str]:
    """The base URLs to try: the user's, then the usual ones. Raises `MalformedAddress`."""
    parsed = parse_postiz_address(address)
    given = parsed.path.rstrip("/")
    folders = (_VERSION_PATH.sub("", given), _API_PATH.sub("", given))
    paths = [folder + path for folder in folders for path in API_PATHS]
    if given in paths:
        paths.insert(0, given)
    return [parsed.origin + path for path in dict.fromkeys(paths)]


def not_saved() -> None:
    """The `check` of credentials that are not saved: nothing can replace them."""


def probe_postiz(
    api_url: str, api_key: str, settings: Settings, *, check: Callable[[], None]
) -> Probe:
    """Try both base paths, then the key, the status route and the integrations.

    `check` is called before each call; it raises `SettingsChanged` where other settings have been
    saved meanwhile, and so does this. Raises `InvalidRequest` for an address that we may not call.
    A Postiz that is away, whose name does not resolve now, or that refuses, is a result and not an
    error.
    """
    route = Route.from_settings(settings)
    server = server_of(api_url)
    try:
        require_allowed(require_address(api_url, parse_postiz_address), route)
    except InvalidRequest as error:
        if error.code != UNRESOLVED:
            raise
        return _unreachable_probe(error, server)
    failure = Probe(code="unreachable", detail="no address to try", server=server)
    for base_url in candidate_urls(api_url):
        postiz = Postiz(
            base_url=base_url, api_key=api_key, check=check, call_seconds=5.0, route=route
        )
        try:
            return _probe_api(postiz, server)
        except WrongBaseUrl as error:
            failure = Probe(code=error.code, detail=error.message, server=server)
        except CredentialsRejected as error:
            return Probe(code=error.code, detail=error.message, server=server, base_url=base_url)
        except SettingsChanged:
            raise
        except PublisherError as error:
            return _unreachable_probe(error, server)
        finally:
            postiz.close()
    return failure


def _unreachable_probe(error: PressroomError, server: str) -> Probe:
    code = UNRESOLVED if error.code == UNRESOLVED else "unreachable"
    return Probe(code=code, detail=error.message, server=server)


def _probe_api(postiz: Postiz, server: str) -> Probe:
    postiz.connected(seconds=4.0)
    if not postiz.has_status_route():
        return Probe(code="postiz_too_old", detail=TOO_OLD, server=server, base_url=postiz.base_url)
    integrations = postiz.integrations(seconds=4.0)
    return Probe(
        code="ok",
        detail=f"connected: {len(integrations)} integrations",
        server=server,
        base_url=postiz.base_url,
        integrations=integrations,
    )
