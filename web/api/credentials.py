"""Which Postiz a profile uses, shown without its key, and tried without being saved."""

from flask import Response

from shared import profiles
from shared.errors import NotConfigured
from shared.profiles import Credentials
from web import credentials
from web.api.resource import resource
from web.auth import visible
from web.idempotency import Reply
from web.schemas.common import IdPath
from web.schemas.profiles import (
    CredentialsView,
    IntegrationView,
    ValidateCredentials,
    ValidationView,
)
from web.services import services

api = resource("credentials", "Where a profile's posts go", write="settings")


def _saved(profile_id: str) -> Credentials | None:
    with services().database.transaction() as session:
        profile = profiles.get(session, visible(profile_id))
        return profiles.credentials_of(profile, services().settings, services().box)


@api.get("/profiles/<id>/credentials", responses={200: CredentialsView})
def get_credentials(path: IdPath) -> Response:
    """Read which credentials are in force, the key masked"""
    found = _saved(path.id)
    shown = CredentialsView(
        source=found.source if found else "none",
        api_url=found.api_url if found else None,
        api_key=profiles.mask(found.api_key) if found else None,
    )
    return Reply(body=shown).response()


@api.post("/profiles/<id>/validate", responses={200: ValidationView})
def validate_credentials(path: IdPath, body: ValidateCredentials) -> Response:
    """Try the given or the saved credentials, and save nothing"""
    probe = credentials.check(_to_try(path.id, body))
    listed = None
    if probe.integrations is not None:
        listed = [IntegrationView.model_validate(vars(row)) for row in probe.integrations]
    shown = ValidationView(
        ok=probe.ok, base_url=probe.base_url, integrations=listed, detail=probe.detail
    )
    return Reply(body=shown).response()


def _to_try(profile_id: str, body: ValidateCredentials) -> Credentials:
    """The given key for the given URL, or for the saved one; else what is saved."""
    saved = _saved(profile_id)
    url = body.api_url or (saved.api_url if saved else None)
    key = body.api_key or (saved.api_key if saved else None)
    if url is None or key is None:
        raise NotConfigured(profiles.HOW_TO_CONFIGURE.format(id=profile_id))
    return Credentials(source="profile", api_url=url, api_key=key)
