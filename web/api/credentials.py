"""Which Postiz a profile uses: shown without its key, and tried without saving."""

from collections.abc import Callable
from functools import partial

from flask import Response

from shared.errors import HOW_TO_CONFIGURE, NotConfigured, SecretUnreadable
from shared.postiz.discovery import not_saved
from shared.profiles import profile_settings
from shared.profiles.profile_settings import Credentials
from shared.profiles.publisher_cache import require_version
from web.api.resource import create_blueprint
from web.auth import require_visible_profile
from web.http_layer.idempotency import Reply
from web.http_layer.problems import describe_error
from web.request_parsing import credential_check
from web.schemas.common import IdPath
from web.schemas.profiles import (
    CredentialsView,
    IntegrationView,
    UnusableCredentialsView,
    ValidateCredentials,
    ValidationView,
)
from web.services import current_services

api = create_blueprint("credentials", "Where a profile's posts go", write="settings")


@api.get("/profiles/<id>/credentials", responses={200: CredentialsView})
def get_credentials(path: IdPath) -> Response:
    """Read which credentials are in force, the key masked"""
    ours = current_services()
    with ours.database.transaction() as session:
        profile = profile_settings.load_profile(session, require_visible_profile(path.id))
    source, url = (
        profile_settings.source_of(profile, ours.settings),
        profile_settings.api_url_of(profile, ours.settings),
    )
    try:
        found = profile_settings.credentials_of(profile, ours.settings, ours.box)
    except SecretUnreadable as error:
        shown = UnusableCredentialsView(
            source=source,
            api_url=url,
            api_key=profile_settings.mask_api_key(""),
            detail=describe_error(error),
        )
        return Reply(body=shown).response()
    key = profile_settings.mask_api_key(found.api_key) if found else None
    return Reply(body=CredentialsView(source=source, api_url=url, api_key=key)).response()


@api.post("/profiles/<id>/validate", responses={200: ValidationView})
def validate_credentials(path: IdPath, body: ValidateCredentials) -> Response:
    """Try the given or the saved credentials, and save nothing"""
    try:
        credentials, check = _credentials_to_try(path.id, body)
        probe = credential_check.probe_credentials(credentials, check=check)
    except SecretUnreadable as error:
        nothing = ValidationView(
            ok=False, base_url=None, integrations=None, detail=describe_error(error)
        )
        return Reply(body=nothing).response()
    listed = None
    if probe.integrations is not None:
        listed = [IntegrationView.model_validate(vars(row)) for row in probe.integrations]
    shown = ValidationView(
        ok=probe.ok, base_url=probe.base_url, integrations=listed, detail=probe.detail
    )
    return Reply(body=shown).response()


def _credentials_to_try(
    profile_id: str, body: ValidateCredentials
) -> tuple[Credentials, Callable[[], None]]:
    """The given key for the given URL, or for the saved URL; else what is saved.

    With what has to be asked before each call with them.

    Raises `NotConfigured`, and `SecretUnreadable`.
    """
    ours = current_services()
    with ours.database.transaction() as session:
        profile = profile_settings.load_profile(session, require_visible_profile(profile_id))
    if body.api_key is None:
        saved = profile_settings.require_credentials(profile, ours.settings, ours.box)
        return saved, partial(require_version, ours.database, profile_id, profile.settings_version)
    url = body.api_url or profile_settings.api_url_of(profile, ours.settings)
    if url is None:
        raise NotConfigured(HOW_TO_CONFIGURE.format(id=profile_id))
    return Credentials(source="profile", api_url=url, api_key=body.api_key), not_saved
