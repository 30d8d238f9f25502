"""Tries Postiz credentials before they are saved: never for long, never in a transaction."""

from collections.abc import Callable

from shared.errors import FieldError, InvalidRequest, Transient, Unprocessable
from shared.net.outbound_route import UNRESOLVED
from shared.postiz import discovery
from shared.postiz.discovery import Probe, not_saved
from shared.profiles.profile_settings import Credentials, environment_credentials
from web.auth import current_caller
from web.schemas.profiles import PostizCheck, TtsSettings
from web.services import current_services

#: The longest time that a PATCH waits for Postiz (seconds).
CHECK_SECONDS = 8.0
TOO_OLD = "postiz_too_old"


def credentials_to_check(
    settings: TtsSettings | None, *, environment_allowed: bool
) -> Credentials | None:
    """The credentials that will be in force after `settings` are saved, if these change them."""
    if settings is None or "postiz" not in settings.model_fields_set:
        return None
    own = settings.postiz
    if own is not None:
        return Credentials(source="profile", api_url=own.api_url, api_key=own.api_key)
    if not environment_allowed:
        return None
    return environment_credentials(current_services().settings)


def probe_credentials(credentials: Credentials, *, check: Callable[[], None] = not_saved) -> Probe:
    """The result of trying them. A Postiz that is away is a result, not an error.

    `check`: for credentials that are saved; where others are saved meanwhile, no further call is
    made, and this is the result.

    Raises `InvalidRequest` for an address that we may not call, and for one of the profile's own
    that does not resolve; `Unavailable` if too many ask at once.
    """
    ours = current_services()  # the call runs in a thread of its own, without a request
    try:
        probe = ours.calls.within(
            CHECK_SECONDS,
            lambda: discovery.probe_postiz(
                credentials.api_url, credentials.api_key, ours.settings, check=check
            ),
            holder=current_caller().holder,
        )
    except Transient as error:
        return Probe(code="unreachable", detail=error.message, server=credentials.server)
    except InvalidRequest as error:
        raise _refused_address(error.message, error.code) from error
    if probe.code == UNRESOLVED and credentials.source == "profile":
        raise _refused_address(probe.detail, probe.code)
    return probe


def _refused_address(message: str, code: str) -> InvalidRequest:
    fault = FieldError(field="tts_settings.postiz.api_url", message=message, code=code)
    return InvalidRequest(message, code=code, fields=[fault])


def check_before_saving(settings: TtsSettings | None, *, environment_allowed: bool) -> Probe | None:
    """None if there is nothing to try. Raises `Unprocessable` for a Postiz that is too old."""
    credentials = credentials_to_check(settings, environment_allowed=environment_allowed)
    if credentials is None:
        return None
    probe = probe_credentials(credentials)
    if probe.code == TOO_OLD:
        fault = FieldError(field="tts_settings.postiz.api_url", message=probe.detail, code=TOO_OLD)
        raise Unprocessable(probe.detail, code=TOO_OLD, fields=[fault])
    return probe


def probe_view(probe: Probe | None) -> PostizCheck | None:
    return None if probe is None else PostizCheck(ok=probe.ok, detail=probe.detail)
