"""Cancel and retry of many posts at once: of a profile, of an account, or by what they are."""

from flask import Response
from sqlalchemy.orm import Session

from shared.errors import FieldError, InvalidRequest
from shared.media.repository import is_id
from shared.posts import bulk_cancel_retry
from shared.posts.bulk_cancel_retry import Changed
from shared.posts.post_queries import Wanted
from shared.profiles import profile_settings
from web.api.accounts import changeable
from web.api.resource import resource
from web.auth import profiles_in_sight, visible
from web.schemas.common import IdPath
from web.schemas.control import ChangedView, RefusedView, WhichPosts, WhichToRetry
from web.schemas.jobs import RetryRequest
from web.services import services
from web.wire.idempotency import Reply
from web.wire.optional_body import body_or, optional_body

api = resource("control", "Second thoughts about many posts", write="publish")


@api.post("/posts/cancel", responses={202: ChangedView})
def cancel_posts(body: WhichPosts) -> Response:
    """Take back what can be of these posts; a repetition changes nothing more"""
    return answer(bulk_cancel_retry.cancel(services().database, _wanted(body)))


@api.post("/posts/retry", responses={202: ChangedView})
def retry_posts(body: WhichToRetry) -> Response:
    """Try the failed ones of these posts again; what may be live only on your word"""
    return _retried(_wanted(body), confirmed=body.confirm_not_published)


@api.post("/profiles/<id>/cancel", responses={202: ChangedView})
def cancel_profile(path: IdPath) -> Response:
    """Take back all that the profile has not published yet, but for drafts that were asked for"""
    return _cancelled(_of_profile(path.id))


@api.post(
    "/profiles/<id>/retry",
    responses={202: ChangedView},
    openapi_extensions=optional_body(RetryRequest),
)
def retry_profile(path: IdPath) -> Response:
    """Try all failed posts of the profile again"""
    confirmed = body_or(RetryRequest).confirm_not_published
    return _retried(_of_profile(path.id), confirmed=confirmed)


@api.post("/accounts/<id>/cancel", responses={202: ChangedView})
def cancel_account(path: IdPath) -> Response:
    """Take back all that was to go through this Postiz and is not published yet"""
    return _cancelled(_of_account(path.id))


@api.post(
    "/accounts/<id>/retry",
    responses={202: ChangedView},
    openapi_extensions=optional_body(RetryRequest),
)
def retry_account(path: IdPath) -> Response:
    """Try all failed posts of the account again"""
    confirmed = body_or(RetryRequest).confirm_not_published
    return _retried(_of_account(path.id), confirmed=confirmed)


def _of_profile(profile_id: str) -> Wanted:
    with services().database.transaction() as session:
        profile_settings.get(session, visible(profile_id))
    return Wanted(profile_ids=[profile_id])


def _of_account(account_id: str) -> Wanted:
    with services().database.transaction() as session:
        return Wanted(profile_ids=None, account_id=changeable(session, account_id).id)


def _cancelled(wanted: Wanted) -> Response:
    changed = bulk_cancel_retry.cancel(
        services().database, wanted, states=bulk_cancel_retry.UNPUBLISHED
    )
    return answer(changed)


def _retried(wanted: Wanted, *, confirmed: bool) -> Response:
    return answer(bulk_cancel_retry.retry(services().database, wanted, confirmed=confirmed))


def answer(changed: Changed) -> Response:
    wake(changed)
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


def wake(changed: Changed) -> None:
    """Stops at the first that does not go out: the sweep looks within seconds."""
    for account_id in sorted(changed.account_ids):
        if not services().waker.look(account_id):
            return


def _wanted(body: WhichPosts) -> Wanted:
    with services().database.transaction() as session:
        seen = _in_sight(session, body.profile_id)
    return Wanted(
        profile_ids=seen,
        ids=None if body.ids is None else [_number("ids", each) for each in body.ids],
        job_id=None if body.job_id is None else _number("job_id", body.job_id),
        account_id=None if body.account_id is None else _number("account_id", body.account_id),
        integration_id=body.integration_id,
        state=body.state,
        error_code=body.error_code,
        since=body.since,
        until=body.until,
    )


def _in_sight(session: Session, named: str | None) -> list[str] | None:
    """What the caller may see, narrowed to the profile that the body names."""
    seen = profiles_in_sight(session)
    if named is None:
        return seen
    return [visible(named)] if seen is None or named in seen else []


def _number(field: str, value: str) -> int:
    if not is_id(value):
        raise InvalidRequest(
            f"{field}: {value!r} is no id", fields=[FieldError(field=field, message="is no id")]
        )
    return int(value)
