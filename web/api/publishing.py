"""Publish and bulk-publish: a request becomes a job, with a post per row and integration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from shared import accepting, account_views, late_rules, media
from shared.accepting import Accepted
from shared.domain.plan import Situation, choose_handoff
from shared.domain.rows import Known, PlannedPost, Row, check_rows
from shared.errors import PublisherError, Unprocessable
from shared.models import Account
from web import live
from web.api.resource import problems, resource
from web.auth import current_profile
from web.idempotency import Reply, once
from web.publishing import bulk_rows, seeded, single_row
from web.schemas.publishing import BulkPublishRequest, Defaults, JobReply, PublishRequest
from web.services import services
from web.views import location, new_job_view, wake_uploads

#: The known integrations are refreshed when that takes no longer (seconds).
REFRESH_SECONDS = 1.0

api = resource("publishing", "Posts, one or ten thousand", write="publish")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for, whichever endpoint it came by."""

    kind: str
    profile_id: str
    body: Defaults
    rows: Sequence[Row]
    now: datetime
    external_id: str | None = None
    options: dict[str, Any]


@api.post("/postiz/publish", responses={202: JobReply, **problems(409, 422)})
def publish(body: PublishRequest) -> Response:
    """Publish a caption and media through one or more integrations"""
    now = datetime.now(UTC)
    return _accepted(
        lambda profile_id: Order(
            kind="publish",
            profile_id=profile_id,
            body=body,
            rows=[single_row(body, now)],
            now=now,
            external_id=body.external_id,
            options={"timezone": body.timezone},
        )
    )


@api.post("/postiz/bulk-publish", responses={202: JobReply, **problems(409, 413, 422)})
def bulk_publish(body: BulkPublishRequest) -> Response:
    """Publish up to 10,000 rows, each at its own time or spread from a start"""
    now = datetime.now(UTC)
    body = seeded(body)
    return _accepted(
        lambda profile_id: Order(
            kind="bulk_publish",
            profile_id=profile_id,
            body=body,
            rows=bulk_rows(body, now),
            now=now,
            options=body.model_dump(
                mode="json",
                include={
                    "schedule_date",
                    "schedule_interval_minutes",
                    "schedule_jitter_minutes",
                    "jitter_seed",
                    "timezone",
                },
            ),
        )
    )


def _accepted(order_for: Callable[[str], Order]) -> Response:
    with services().database.transaction() as session:
        profile_id = current_profile(session)
        accepting.account_for(session, profile_id, services().settings, services().box)
    order = order_for(profile_id)
    _refresh_integrations(profile_id)
    return once(lambda session: _accept(session, order))


def _refresh_integrations(profile_id: str) -> None:
    try:
        live.integrations(profile_id, seconds=REFRESH_SECONDS)
    except PublisherError:
        return  # the list that is known decides; and where there is none, the worker


def _accept(session: Session, order: Order) -> Reply:
    account = accepting.account_for(session, order.profile_id, services().settings, services().box)
    known = _known(session, account, order)
    checked = check_rows(order.rows, known)
    posts = [post for one in checked for post in one.posts]
    if faults := [fault for one in checked for fault in one.faults]:
        number = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise Unprocessable(f"{number} in the request: nothing was accepted", fields=faults)
    job = accepting.accept_posts(
        session, order.profile_id, account, posts, _how(account, order, known, posts)
    )
    used = {media_id for post in posts for media_id in post.media_ids}
    waiting = accepting.waiting_uploads(session, account, used)
    return Reply(
        body=JobReply(job=new_job_view(session, job)),
        status=202,
        headers=location(job),
        afterwards=lambda: _wake(account.id, waiting),
    )


def _known(session: Session, account: Account, order: Order) -> Known:
    used = {media_id for row in order.rows for media_id in row.media_ids}
    return Known(
        channels=accepting.known_channels(session, account),
        media=media.known(session, order.profile_id, used),
    )


def _how(account: Account, order: Order, known: Known, posts: Sequence[PlannedPost]) -> Accepted:
    situation = Situation(
        now=order.now,
        budget=account_views.budget_remaining(account, order.now),
        settle=timedelta(seconds=services().settings.settle_seconds),
    )
    handoff = choose_handoff(
        (post.row.publish_at for post in posts),
        situation,
        wanted=order.body.handoff,
        drafts=order.body.save_as_draft,
    )
    late = late_rules.late_options(order.rows) if known.channels is None else {}
    return Accepted(
        kind=order.kind,
        handoff=handoff,
        as_draft=order.body.save_as_draft,
        external_id=order.external_id,
        options={**order.options, **late},
    )


def _wake(account_id: int, uploads: Sequence[int]) -> None:
    if services().waker.stage(account_id):
        wake_uploads(uploads)
