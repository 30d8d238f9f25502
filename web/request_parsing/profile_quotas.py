"""A profile's quotas: who may set them, and how they are shown."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from shared import quotas
from shared.errors import Forbidden
from shared.models import Profile
from shared.quotas import Quota
from web.auth import current_caller
from web.schemas.profiles import OwnQuotas, PatchProfile, QuotasView, QuotaView
from web.services import current_services


def require_grant(body: PatchProfile) -> None:
    """Raises `Forbidden` for a caller that may not set quotas, where `body` has some."""
    if "quotas" in body.model_fields_set and not current_caller().is_operator:
        raise Forbidden("Only an admin key that is bound to no profile sets quotas")


def merge_quotas(before: Mapping[str, int], sent: OwnQuotas | None) -> dict[str, Any]:
    """The profile's own numbers once `sent` is saved: null takes one away."""
    changes = sent.model_dump(exclude_unset=True) if sent else {}
    return {name: number for name, number in {**before, **changes}.items() if number is not None}


def quotas_view(session: Session, profile: Profile) -> QuotasView:
    ours = current_services()
    asked = ours.rates.profile_usage(profile.id, profile.quotas)
    used = {
        quota: asked.limit - asked.remaining
        if quota == Quota.REQUESTS_PER_MINUTE
        else quotas.count_used(session, profile.id, quota)
        for quota in Quota
    }
    limits = {quota: quotas.limit_of(quota, profile.quotas, ours.settings) for quota in Quota}
    shown = {str(quota): QuotaView(limit=limits[quota], used=used[quota]) for quota in Quota}
    return QuotasView(**shown)
