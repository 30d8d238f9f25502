"""The media of a profile: listed, shown with their use, deleted."""

from collections.abc import Iterator

from flask import Response
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles, load_visible
from shared.media import media_use, unused_media
from shared.media.repository import sha256_of
from shared.models import Media
from shared.profiles import profile_settings
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_caller, requested_profiles, require_visible_profile
from web.http_layer.idempotency import Reply
from web.http_layer.pagination import next_cursor, page_query
from web.schemas.common import IdPath, Page
from web.schemas.media import MediaQuery, MediumView, MediumWithUse
from web.services import current_services

_KINDS = ("image", "video")

api = create_blueprint("media", "The files of a profile", write="publish")


@api.get("/media", responses={200: Page[MediumView]})
def list_media(query: MediaQuery) -> Response:
    """List the files, the newest first"""
    wanted = select(Media).where(Media.removed_at.is_(None), *_conditions(query))
    newest = page_query(wanted, Media.id, query, newest=True)
    with current_services().database.reading() as session:
        listed = _listed_profiles(session, query.profile)
        rows = session.scalars(newest.where(listed.condition(Media))).all()
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    page = Page[MediumView](
        items=[MediumView(**_values_of(row)) for row in rows], next_cursor=onward
    )
    return Reply(body=page).response()


@api.get("/media/<id>", responses={200: MediumWithUse})
def show_medium(path: IdPath) -> Response:
    """Show a file, and how many open posts use it"""
    with current_services().database.reading() as session:
        row = load_medium(session, path.id)
        view = MediumWithUse(**_values_of(row), used_by=media_use.count_open_posts(session, row))
    return Reply(body=view).response()


@api.delete("/media/<id>", responses={204: None, **problem_responses(409)})
def delete_medium(path: IdPath) -> Response:
    """Delete a file that nothing needs any more: no open post, schedule or upload"""
    ours = current_services()
    with ours.database.transaction() as session:
        key = unused_media.remove_medium(session, path.id, current_caller().visible)
    if key is not None:
        unused_media.remove_file_or_leave(ours.database, ours.storage, key)
    return Response(status=204)


def load_medium(session: Session, media_id: str) -> Media:
    """Raises `NotFound`, for one that was deleted too."""
    present = [Media.removed_at.is_(None)]
    return load_visible(session, Media, media_id, current_caller().visible, also=present)


def _listed_profiles(session: Session, profile_id: str | None) -> VisibleProfiles:
    """Raises `NotFound`."""
    asked = requested_profiles(session)
    if profile_id is None:
        return asked
    profile = profile_settings.load_profile(session, require_visible_profile(profile_id))
    return asked.narrowed_to(profile.id)


def _conditions(query: MediaQuery) -> Iterator[ColumnElement[bool]]:
    if query.q is not None:
        yield Media.name.icontains(query.q, autoescape=True)
    if query.sha256 is not None:
        yield Media.sha256 == query.sha256
    if query.type in _KINDS:
        yield Media.mime.startswith(f"{query.type}/")
    elif query.type is not None:
        yield Media.mime == query.type


def _values_of(row: Media) -> dict[str, object]:
    values = {name: getattr(row, name) for name in MediumView.model_fields}
    return {**values, "id": str(row.id), "sha256": sha256_of(row)}
