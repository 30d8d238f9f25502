"""The profiles that somebody sees, by their names: what pages let choose from."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.models import Profile


def list_by_name(
    session: Session, visible: VisibleProfiles, *, limit: int, deleting: bool = True
) -> Sequence[Profile]:
    """The first by their names; `deleting`: with those that are being deleted."""
    query = select(Profile).where(visible.condition(Profile))
    if not deleting:
        query = query.where(Profile.deleting_since.is_(None))
    return session.scalars(query.order_by(Profile.name, Profile.id).limit(limit)).all()
