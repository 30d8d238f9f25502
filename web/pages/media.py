"""Media: the files of the profiles, where each is used, and deletion of what nothing needs."""

from collections.abc import Mapping, Sequence

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.media import media_use
from shared.models import Media
from shared.profiles import listing
from web.auth import current_caller
from web.http_layer.pagination import decode_number, next_cursor
from web.http_layer.request import is_clean
from web.pages.layout import create_reader_blueprint, show
from web.services import current_services

pages = create_reader_blueprint("media_pages")

MEDIA = "/media"
AT_ONCE = 24
PROFILES = 500
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
        rows = _read_media(session, chosen, visible)
        uses = media_use.read_open_uses(session, rows, SHOWN)
        profiles = listing.list_by_name(session, visible, limit=PROFILES)
        return show(
            "media.html",
            title="Media",
            path=MEDIA,
            profiles=profiles,
            names={profile.id: profile.name for profile in profiles},
            media=rows,
            uses=uses,
            needed={*uses, *media_use.find_other_uses(session, [row.id for row in rows])},
            chosen=chosen,
            kinds=KINDS,
            cursor=next_cursor(rows, AT_ONCE, lambda row: row.id),
        )


def _read_filter(name: str) -> str:
    """What cannot be in the database, nothing there is like."""
    value = request.args.get(name, "")[:_LONGEST]
    return value if is_clean(value) else "\N{REPLACEMENT CHARACTER}"


def _read_media(
    session: Session, chosen: Mapping[str, str], visible: VisibleProfiles
) -> Sequence[Media]:
    """The newest first."""
    wanted = select(Media).where(Media.removed_at.is_(None), visible.condition(Media))
    if chosen["profile"]:
        wanted = wanted.where(Media.profile_id == chosen["profile"])
    if chosen["q"]:
        wanted = wanted.where(Media.name.icontains(chosen["q"], autoescape=True))
    if chosen["type"] in KINDS:
        wanted = wanted.where(Media.mime.startswith(f"{chosen['type']}/"))
    if before := decode_number(request.args.get("cursor")):
        wanted = wanted.where(Media.id < before)
    return session.scalars(wanted.order_by(Media.id.desc()).limit(AT_ONCE)).all()
