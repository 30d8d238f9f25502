"""The profiles that somebody sees, by their names: what pages let choose from."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

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


def names_of(session: Session, ids: Iterable[str]) -> Mapping[str, str]:
    """By their ids, what people call these profiles: their names, with the id where two have one.

    Whoever asks sees rows of these profiles already.
    """
    query = select(Profile.id, Profile.name).where(Profile.id.in_(set(ids)))
    names = {row.id: row.name for row in session.execute(query)}
    times = Counter(names.values())
    return {key: name if times[name] == 1 else f"{name} ({key})" for key, name in names.items()}
