"""Cancel and retry of many posts at once: of a profile, of an account, or by a filter."""

from flask import Response
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.accounts import budget_queries
from shared.errors import FieldError, InvalidRequest
from shared.models.base import is_id
from shared.posts import bulk_cancel_retry
from shared.posts.bulk_cancel_retry import Changed
from shared.posts.post_queries import PostFilter
from shared.profiles import profile_settings
from web.api.resource import create_blueprint
from web.auth import current_caller, requested_profiles, require_visible_profile
from web.http_layer.idempotency import Reply
from web.http_layer.optional_body import body_or_defaults, optional_body
from web.schemas.common import IdPath
from web.schemas.control import ChangedView, RefusedView, WhichPosts, WhichToRetry
from web.schemas.jobs import RetryRequest
from web.services import current_services

api = create_blueprint("control", "Second thoughts about many posts", write="publish")


@api.post("/posts/cancel", responses={202: ChangedView})
def cancel_posts(body: WhichPosts) -> Response:
    """Take back what can be of these posts; a repetition changes nothing more"""
    return wake_and_respond(
        bulk_cancel_retry.cancel_matching_posts(
            current_services().database, _filter_from_body(body)
        )
    )


@api.post("/posts/retry", responses={202: ChangedView})
def retry_posts(body: WhichToRetry) -> Response:
    """Try the failed ones of these posts again; what may be live only on your word"""
    return _retry_failed(_filter_from_body(body), confirmed=body.confirm_not_published)


@api.post("/profiles/<id>/cancel", responses={202: ChangedView})
def cancel_profile(path: IdPath) -> Response:
    """Take back all that the profile has not published yet, but for drafts that were asked for"""
    return _cancel_unpublished(_filter_for_profile(path.id))


@api.post(
    "/profiles/<id>/retry",
    responses={202: ChangedView},
    openapi_extensions=optional_body(RetryRequest),
)
def retry_profile(path: IdPath) -> Response:
    """Try all failed posts of the profile again"""
    confirmed = body_or_defaults(RetryRequest).confirm_not_published
    return _retry_failed(_filter_for_profile(path.id), confirmed=confirmed)


@api.post("/accounts/<id>/cancel", responses={202: ChangedView})
def cancel_account(path: IdPath) -> Response:
    """Take back all that was to go through this Postiz and is not published yet"""
    return _cancel_unpublished(_filter_for_account(path.id))


@api.post(
    "/accounts/<id>/retry",
    responses={202: ChangedView},
    openapi_extensions=optional_body(RetryRequest),
)
def retry_account(path: IdPath) -> Response:
    """Try all failed posts of the account again"""
    confirmed = body_or_defaults(RetryRequest).confirm_not_published
    return _retry_failed(_filter_for_account(path.id), confirmed=confirmed)


def _filter_for_profile(profile_id: str) -> PostFilter:
    with current_services().database.transaction() as session:
        profile_settings.load_profile(session, require_visible_profile(profile_id))
    return PostFilter(visible=current_caller().visible.narrowed_to(profile_id))


def _filter_for_account(account_id: str) -> PostFilter:
    with current_services().database.transaction() as session:
        visible = current_caller().visible
        account = budget_queries.lock_own_account(session, account_id, visible)
    return PostFilter(visible=visible, account_id=account.id)


def _cancel_unpublished(wanted: PostFilter) -> Response:
    changed = bulk_cancel_retry.cancel_matching_posts(
        current_services().database, wanted, states=bulk_cancel_retry.UNPUBLISHED
    )
    return wake_and_respond(changed)


def _retry_failed(wanted: PostFilter, *, confirmed: bool) -> Response:
    return wake_and_respond(
        bulk_cancel_retry.retry_matching_posts(
            current_services().database, wanted, confirmed=confirmed
        )
    )


def wake_and_respond(changed: Changed) -> Response:
    wake_accounts(changed)
    shown = ChangedView(
        changed=changed.posts,
        may_be_live=changed.count_refused(bulk_cancel_retry.MAY_BE_LIVE),
        refused=[
            RefusedView(
                code=refused.code,
                message=refused.message,
                count=refused.count,
                post_id=str(refused.post_id),
            )
            for refused in changed.refused
        ],
    )
    return Reply(body=shown, status=202).response()


def wake_accounts(changed: Changed) -> None:
    """Stops at the first that cannot be sent: the sweep finds the rest within seconds."""
    for account_id in sorted(changed.account_ids):
        if not current_services().waker.look(account_id):
            return


def _filter_from_body(body: WhichPosts) -> PostFilter:
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
