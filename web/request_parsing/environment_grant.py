"""Who lets a profile use the installation's own Postiz credentials: an admin bound to no profile.

Where such an admin does not say so in words, what it makes of `postiz` says it: without credentials
of its own the profile may use the installation's, with its own it needs no others.
"""

from shared.errors import Forbidden
from shared.profiles.profile_settings import environment_credentials
from web.auth import current_caller
from web.schemas.profiles import NewProfile, PatchProfile
from web.services import current_services

NOT_ALLOWED = "environment_not_allowed"


def decide_grant(body: NewProfile | PatchProfile, before: bool) -> bool:
    """Whether the profile may, once `body` is saved; `before`: whether it may now.

    Raises `Forbidden` for a caller that may not decide it, and for one that takes what is not
    granted.
    """
    is_operator = current_caller().is_operator
    named = body.environment_allowed
    if named is not None and named != before and not is_operator:
        raise Forbidden("Only an admin key that is bound to no profile sets environment_allowed")
    if is_operator:
        return _operators_grant(body, before)
    if _takes_environment(body) and not before:
        raise Forbidden(
            "This profile may not use the installation's Postiz credentials: save credentials of "
            "its own, or have an admin set environment_allowed",
            code=NOT_ALLOWED,
        )
    return before


def _operators_grant(body: NewProfile | PatchProfile, before: bool) -> bool:
    if body.environment_allowed is not None:
        return body.environment_allowed
    sent = body.tts_settings
    if sent is not None and "postiz" in sent.model_fields_set:
        return sent.postiz is None
    return before or isinstance(body, NewProfile)


def _takes_environment(body: NewProfile | PatchProfile) -> bool:
    sent = body.tts_settings
    gives_up_its_own = (
        sent is not None and "postiz" in sent.model_fields_set and sent.postiz is None
    )
    return gives_up_its_own and environment_credentials(current_services().settings) is not None
