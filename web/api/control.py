"""Cancel and retry of many posts at once: of a profile, of an account, or by a filter."""

from collections.abc import Iterable

from flask import Response

from shared.accounts import budget_queries
from shared.posts import bulk_cancel_retry, retryable
from shared.posts.bulk_cancel_retry import Changed, Refused
from shared.posts.post_queries import PostFilter
from shared.posts.requested_edits import EditRequest
from shared.profiles import profile_settings
from web.api.resource import create_blueprint, may_pass_approval
from web.auth import current_caller, require_visible_profile
from web.http_layer.continued import answer_continued
from web.http_layer.idempotency import Reply
from web.http_layer.optional_body import body_or_defaults, optional_body
from web.request_parsing.post_filters import filter_from_body
from web.schemas.common import IdPath
from web.schemas.control import (
    ChangedView,
    DryRunQuery,
    PlannedChange,
    RefusedView,
    WhichPosts,
    WhichToRetry,
)
from web.schemas.jobs import RetryRequest
from web.services import current_services

api = create_blueprint("control", "Second thoughts about many posts", write="publish")


@api.post("/posts/cancel", responses={200: PlannedChange, 202: ChangedView})
def cancel_posts(query: DryRunQuery, body: WhichPosts) -> Response:
    """Take back what can be of these posts; a repetition changes nothing more"""
    database, wanted = current_services().database, filter_from_body(body)
    if query.dry_run:
        return _preview_response(bulk_cancel_retry.preview_cancel(database, wanted))
    return answer_continued(
        lambda _: _wake_and_reply(bulk_cancel_retry.cancel_matching_posts(database, wanted))
    )


@api.post("/posts/retry", responses={200: PlannedChange, 202: ChangedView})
def retry_posts(query: DryRunQuery, body: WhichToRetry) -> Response:
    """Try the failed ones of these posts again; what may be live only on your word"""
    wanted, confirmed = filter_from_body(body), body.confirm_not_published
    if not query.dry_run:
        return answer_continued(
            lambda request: _retry_failed(wanted, confirmed=confirmed, request=request)
        )
    database = current_services().database
    return _preview_response(
        bulk_cancel_retry.preview_retry(
            database, wanted, confirmed=confirmed, past_approval=may_pass_approval()
        )
    )


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
    return _retry_failed(_filter_for_profile(path.id), confirmed=confirmed).response()


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
    return _retry_failed(_filter_for_account(path.id), confirmed=confirmed).response()


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


def _retry_failed(
    wanted: PostFilter, *, confirmed: bool, request: EditRequest | None = None
) -> Reply:
    return _wake_and_reply(
        bulk_cancel_retry.retry_matching_posts(
            current_services().database,
            wanted,
            confirmed=confirmed,
            past_approval=may_pass_approval(),
            request=request,
        )
    )


def wake_and_respond(changed: Changed) -> Response:
    return _wake_and_reply(changed).response()


def _wake_and_reply(changed: Changed) -> Reply:
    wake_accounts(changed.account_ids)
    shown = ChangedView(
        matched=changed.matched,
        changed=changed.posts,
        may_be_live=changed.count_refused(retryable.MAY_BE_LIVE),
        refused=refused_views(changed.refused),
    )
    return Reply(body=shown, status=202)


def _preview_response(changed: Changed) -> Response:
    shown = PlannedChange(
        matched=changed.matched,
        would_change=changed.posts,
        refused=refused_views(changed.refused),
    )
    return Reply(body=shown).response()


def refused_views(refusals: Iterable[Refused]) -> list[RefusedView]:
    return [
        RefusedView(
            code=refused.code,
            message=refused.message,
            count=refused.count,
            post_id=str(refused.post_id),
        )
        for refused in refusals
    ]


def wake_accounts(account_ids: Iterable[int]) -> None:
    """Stops at the first that cannot be sent: the sweep finds the rest within seconds."""
    for account_id in sorted(account_ids):
        if not current_services().waker.look(account_id):
            return
