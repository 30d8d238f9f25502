"""Finds the Postiz API behind the address that a user gave, and tells in words what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.addresses import require_allowed
from shared.config import Settings
from shared.errors import CredentialsRejected, PublisherError, WrongBaseUrl
from shared.postiz import Postiz, RemoteIntegration

#: The two places where Postiz serves its public API: from source and hosted, and in its image.
API_PATHS = ("/public/v1", "/api/public/v1")
MINIMUM_VERSION = "v2.21.7"
TOO_OLD = (
    "This Postiz has no route to change a post's status. "
    f"Upgrade it to {MINIMUM_VERSION} (April 2026) or later."
)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What was found. `integrations` is None where no list was to be had.

    `code`: ok, unreachable, not_the_postiz_api, credentials_rejected, plan_limit, postiz_too_old.
    """

    code: str
    detail: str
    server: str
    base_url: str | None = None
    integrations: Sequence[RemoteIntegration] | None = None

    @property
    def ok(self) -> bool:
        return self.code == "ok"


def server_of(api_url: str) -> str:
    """Where Postiz is, without the path of its API: the same for each form of its address."""
    parts = urlsplit(api_url.strip())
    default = {"http": 80, "https": 443}.get(parts.scheme)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port and parts.port != default else ""
    path = parts.path.rstrip("/")
    for api_path in sorted(API_PATHS, key=len, reverse=True):
        if path.endswith(api_path):
            path = path.removesuffix(api_path)
            break
    return f"{parts.scheme}://{host}{port}{path}"


def candidates(api_url: str) -> list[str]:
    """The base URLs to try, the form that the user gave first."""
    server = server_of(api_url)
    given = api_url.strip().rstrip("/")
    forms = [server + path for path in API_PATHS]
    return [form for form in forms if form == given] + [form for form in forms if form != given]


def probe(api_url: str, api_key: str, settings: Settings) -> Probe:
    """Try both base paths, then the key, the status route and the integrations.

    Raises `InvalidRequest` for an address that we may not call; a Postiz that is away, or that
    refuses, is an answer and not an error.
    """
    require_allowed(api_url, allow_private=settings.allow_private_urls)
    server = server_of(api_url)
    failure = Probe(code="unreachable", detail="no address to try", server=server)
    for base_url in candidates(api_url):
        postiz = Postiz(base_url=base_url, api_key=api_key, call_seconds=5.0)
        try:
            return _look(postiz, server)
        except WrongBaseUrl as error:
            failure = Probe(code=error.code, detail=error.message, server=server)
        except CredentialsRejected as error:
            return Probe(code=error.code, detail=error.message, server=server, base_url=base_url)
        except PublisherError as error:
            return Probe(code="unreachable", detail=error.message, server=server)
        finally:
            postiz.close()
    return failure


def _look(postiz: Postiz, server: str) -> Probe:
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
