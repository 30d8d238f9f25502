"""Media: the files of the profiles, where each is used, and deletion of what nothing needs."""

from collections.abc import Mapping, Sequence

from flask import Response, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.media import media_use
from shared.models import Media
from shared.profiles import listing
from web.auth import current_caller
from web.http_layer.pagination import decode_number, encode_cursor, next_cursor
from web.pages.layout import create_reader_blueprint, show
from web.services import current_services

pages = create_reader_blueprint("media_pages")

MEDIA = "/media"
AT_ONCE = 24
PROFILES = 500
#: Files whose names one search reads.
LOOKED_AT = 50_000
#: Posts that are named of those that use a file.
SHOWN = 3
#: Characters of a file's name to look for, and of a profile's id.
_LONGEST = 200
KINDS = ("image", "video")


@pages.get(MEDIA)
def show_media() -> Response:
    chosen = {name: _read_filter(name) for name in ("profile", "q", "type")}
    visible = current_caller().visible
    with current_services().database.reading() as session:
        rows, cursor = _read_media(session, chosen, visible)
        uses = media_use.read_open_uses(session, rows, SHOWN)
        profiles = listing.list_by_name(session, visible, limit=PROFILES)
        return show(
            "media.html",
            title="Media",
            path=MEDIA,
            profiles=profiles,
            names=listing.names_of(session, (row.profile_id for row in rows)),
            media=rows,
            uses=uses,
            needed={*uses, *media_use.find_other_uses(session, [row.id for row in rows])},
            chosen=chosen,
            kinds=KINDS,
            looked_at=LOOKED_AT,
            cursor=cursor,
        )


def _read_filter(name: str) -> str:
    return request.args.get(name, "")[:_LONGEST]


def _read_media(
    session: Session, chosen: Mapping[str, str], visible: VisibleProfiles
) -> tuple[Sequence[Media], str | None]:
    """The newest first, and where the next begin. A name is looked for in `LOOKED_AT` files."""
    wanted = select(Media).where(Media.removed_at.is_(None), visible.condition(Media))
    if chosen["profile"]:
        wanted = wanted.where(Media.profile_id == chosen["profile"])
    if chosen["type"] in KINDS:
        wanted = wanted.where(Media.mime.startswith(f"{chosen['type']}/"))
    if before := decode_number(request.args.get("cursor")):
        wanted = wanted.where(Media.id < before)
    newest = wanted.order_by(Media.id.desc())
    if not chosen["q"]:
        rows = session.scalars(newest.limit(AT_ONCE)).all()
        return rows, next_cursor(rows, AT_ONCE, lambda row: row.id)
    some = newest.with_only_columns(Media.id, Media.name).limit(LOOKED_AT).subquery()
    number, last = session.execute(select(func.count(), func.min(some.c.id))).one()
    named = select(some.c.id).where(some.c.name.icontains(chosen["q"], autoescape=True))
    found = session.scalars(named.order_by(some.c.id.desc()).limit(AT_ONCE)).all()
    rows = session.scalars(newest.where(Media.id.in_(found))).all()
    behind = found[-1] if len(found) == AT_ONCE else last if number == LOOKED_AT else None
    return rows, None if behind is None else encode_cursor(str(behind))
