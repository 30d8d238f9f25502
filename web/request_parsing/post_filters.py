"""Which posts a request means: its filter, limited to what the caller may see."""

from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.errors import FieldError, InvalidRequest
from shared.models.base import is_id
from shared.posts.post_queries import PostFilter
from web.auth import requested_profiles
from web.schemas.control import WhichPosts
from web.services import current_services


def filter_from_body(body: WhichPosts) -> PostFilter:
    with current_services().database.transaction() as session:
        visible = _named_profiles(session, body.profile_id)
    return PostFilter(
        visible=visible,
        ids=None if body.ids is None else [_parse_id("ids", post_id) for post_id in body.ids],
        job_id=None if body.job_id is None else _parse_id("job_id", body.job_id),
        account_id=None if body.account_id is None else _parse_id("account_id", body.account_id),
        integration_id=body.integration_id,
        state=body.state,
        error_code=body.error_code,
        external_id=body.external_id,
        since=body.since,
        until=body.until,
    )


def _named_profiles(session: Session, profile_id: str | None) -> VisibleProfiles:
    """The profiles that the request is about, limited to the one that the body names."""
    visible = requested_profiles(session)
    if profile_id is None:
        return visible
    return visible.narrowed_to(profile_id)


def _parse_id(field: str, value: str) -> int:
    if not is_id(value):
        raise InvalidRequest(
            f"{field}: {value!r} is not an id",
            fields=[FieldError(field=field, message="is not an id")],
        )
    return int(value)
