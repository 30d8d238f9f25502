"""Checks what a request or a schedule wants to publish, and then accepts it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session

from shared import quotas
from shared.accounts import budget_queries, channel_states
from shared.config import Settings
from shared.domain.networks.warning import RowWarning
from shared.domain.publishing.handoff import Situation, choose_handoff
from shared.domain.publishing.planner import CALENDAR_AHEAD, STAGED_AHEAD
from shared.domain.rows.duplicates import (
    duplicate_warnings,
    find_duplicates,
    refuse_duplicates,
)
from shared.domain.rows.post_rows import CheckedRow, Known, PlannedPost, Row, check_rows
from shared.domain.rows.row_warnings import find_warnings
from shared.errors import FieldError, Unprocessable
from shared.intake import deferred_rules, job_creation
from shared.intake.job_creation import Accepted
from shared.intake.schemas import Defaults
from shared.intake.targets import Target
from shared.media import repository
from shared.models import Account, Job, Post
from shared.posts import occupancy
from shared.posts.late_policy import LatePolicy
from shared.quotas import Quota
from shared.task_queue import Waker

#: Renames the fields of faults to those of the request's own format.
RenameFaults = Callable[[Sequence[FieldError]], Sequence[FieldError]]


def keep_fields(faults: Sequence[FieldError]) -> Sequence[FieldError]:
    return faults


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Rows with their times, and warnings about these times."""

    rows: Sequence[Row]
    advice: Sequence[RowWarning] = ()


@dataclass(frozen=True, kw_only=True)
class Order:
    """A request to publish. `rows` is called when the account is known, because posts that were
    accepted before may change the times of the rows."""

    kind: str
    profile_id: str
    body: Defaults
    rows: Callable[[Session, Account], Placed]
    now: datetime
    external_id: str | None = None
    options: Mapping[str, Any]
    late_policy: str = LatePolicy.PUBLISH
    rename_faults: RenameFaults = keep_fields


@dataclass(frozen=True, kw_only=True)
class Checked:
    """An order after its rows were checked."""

    order: Order
    account: Account
    known: Known
    rows: Sequence[CheckedRow]
    handoff: str
    posts: Sequence[PlannedPost] = field(default_factory=list)
    row_warnings: Sequence[RowWarning] = ()  # about times and duplicates
    requires_approval: bool = False

    @property
    def faults(self) -> list[FieldError]:
        return [fault for row in self.rows for fault in self.order.rename_faults(row.faults)]

    @cached_property
    def advice(self) -> list[RowWarning]:
        order = self.order
        drafts = order.body.save_as_draft
        return [
            *self.row_warnings,
            *find_warnings(self.rows, self.known, now=order.now, drafts=drafts),
        ]

    @property
    def invalid(self) -> list[CheckedRow]:
        return [row for row in self.rows if row.faults]


def check_order(session: Session, order: Order, target: Target, settings: Settings) -> Checked:
    """Only reads; `target` is prepared before.

    If caps or gaps limit the times, no other request can choose times for this account until the
    transaction ends; nor if duplicates are refused, accept such a post.
    """
    account = target.account
    placed = order.rows(session, account)
    used = {media_id for row in placed.rows for media_id in row.all_media_ids}
    known = Known(
        channels=target.channels,
        media=repository.find_media(session, order.profile_id, used),
        overrides=account.rule_overrides,
    )
    rows = check_rows(placed.rows, known)
    window = target.duplicate_window
    # drafts have no rate limits, and may be there twice
    publishable = [] if order.body.save_as_draft else [post for row in rows for post in row.posts]
    known = _with_accepted_posts(session, order, target, known, publishable)
    duplicates = find_duplicates(publishable, known.before, window, order.now)
    if order.body.duplicate_policy == "refuse":
        rows, duplicates = refuse_duplicates(rows, duplicates, window), []
    posts = [post for row in rows for post in row.posts]
    return Checked(
        order=order,
        account=account,
        known=known,
        rows=rows,
        handoff=_order_handoff(order, account, posts, timedelta(seconds=settings.settle_seconds)),
        posts=posts,
        row_warnings=[*placed.advice, *duplicate_warnings(duplicates, window)],
        # a request may ask for it where its profile does not, and not the other way round
        requires_approval=order.body.requires_approval or target.requires_approval,
    )


def _with_accepted_posts(
    session: Session, order: Order, target: Target, known: Known, posts: Sequence[PlannedPost]
) -> Known:
    account_id, window = target.account.id, target.duplicate_window
    if order.body.duplicate_policy == "refuse" and window:
        occupancy.lock_account(session, account_id)
    before = occupancy.find_accepted_posts(
        session, account_id, posts, known, repeats=window, now=order.now
    )
    return replace(known, before=before)


def _order_handoff(
    order: Order, account: Account, posts: Sequence[PlannedPost], settle: timedelta
) -> str:
    situation = Situation(
        now=order.now,
        budget=budget_queries.budget_remaining(account, order.now),
        settle=settle,
    )
    return choose_handoff(
        (post.row.publish_at for post in posts),
        situation,
        wanted=order.body.handoff,
        drafts=order.body.save_as_draft,
    )


def require_faultless(checked: Checked, *, skip_invalid: bool = False) -> None:
    """Raises `Unprocessable` with all faults; with `skip_invalid` only if no valid row is left."""
    if checked.faults and not (skip_invalid and checked.posts):
        number = "1 fault" if len(checked.faults) == 1 else f"{len(checked.faults)} faults"
        message = f"{number} in the request: nothing was accepted"
        raise Unprocessable(message, fields=checked.faults)


@dataclass(frozen=True, kw_only=True)
class WakeUps:
    """What to wake the workers for when a job is committed.

    `stages`: whether anything may be staged already. What comes later is found by the sweep.
    """

    account_id: int
    uploads: Sequence[int]
    stages: bool = True

    def send(self, waker: Waker) -> None:
        if not self.stages or waker.stage(self.account_id):
            waker.uploads(self.uploads)


def accept_order(session: Session, checked: Checked, settings: Settings) -> tuple[Job, WakeUps]:
    """All of its posts, or none: raises `QuotaExceeded`."""
    order, account, posts = checked.order, checked.account, checked.posts
    rows = [row.row for row in checked.rows if row.posts]
    deferred = deferred_rules.deferred_options(rows) if checked.known.channels is None else {}
    how = Accepted(
        kind=order.kind,
        handoff=checked.handoff,
        as_draft=order.body.save_as_draft,
        external_id=order.external_id,
        options={**order.options, **deferred},
        late_policy=order.late_policy,
        requires_approval=checked.requires_approval,
    )
    job = job_creation.accept_posts(session, order.profile_id, account, posts, how)
    if any(post.channel.trouble for post in posts):
        channel_states.hold_back(session, Post.job_id == job.id)
    quotas.require_room(session, order.profile_id, Quota.OPEN_POSTS, settings)
    used = {media_id for post in posts for media_id in post.all_media_ids}
    waiting = job_creation.waiting_uploads(session, account, used)
    stages = _may_stage_now(checked)
    return job, WakeUps(account_id=account.id, uploads=waiting, stages=stages)


def _may_stage_now(checked: Checked) -> bool:
    """Whether a worker has anything to do for the posts: to check them, or to hand one over."""
    ahead = STAGED_AHEAD if checked.handoff == "staged" else CALENDAR_AHEAD
    latest = checked.order.now + ahead
    is_checked = checked.known.channels is not None
    return not is_checked or any(post.row.publish_at <= latest for post in checked.posts)
