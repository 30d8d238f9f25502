"""When jobs and accounts will be done: counts the work that domain/publishing/eta.py needs.

The rows of an account's backlog are counted once per request.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Text, and_, case, cast, func, or_, select
from sqlalchemy.orm import Session

from shared import db
from shared.accounts import holds
from shared.accounts.budget_queries import BACKLOG, budget_state, in_backlog
from shared.config import Settings
from shared.domain.publishing.eta import Flow, Load, done_at, drained_at
from shared.domain.publishing.states import JobState, PostState
from shared.jobs.progress import Outcome
from shared.media.post_media import used_media
from shared.models import Account, Job, Post, Profile

#: How long before its time a post is handed to Postiz's calendar. Its job waits for no more.
CALENDAR_AHEAD = timedelta(days=14)
#: Open posts whose ends are reckoned while somebody waits for a list.
QUICK = 20_000
_OPEN = frozenset({JobState.QUEUED, JobState.RUNNING})
_UNSENT = Post.state.in_((PostState.PENDING, PostState.STAGING))
_DATED = or_(Post.as_draft, Post.handoff == "calendar")


@dataclass(frozen=True, kw_only=True)
class _JobLoad:
    account_id: int
    job_id: int
    load: Load


def with_etas(session: Session, outcomes: Sequence[Outcome], settings: Settings) -> list[Outcome]:
    """The outcomes with their `eta`: None for jobs that are over, paused or held, or wait for an
    approval."""
    running = [found.job.id for found in outcomes if _has_end(found)]
    if not running:
        return list(outcomes)
    used = select(Post.account_id).where(Post.job_id.in_(running), Post.state.in_(BACKLOG))
    accounts = _account_flows(session, session.scalars(used.distinct()).all(), settings)
    etas = _find_ends(_job_loads(session, list(accounts)), running, accounts)
    return [replace(found, eta=max(etas[found.job.id], default=None)) for found in outcomes]


def has_few_open(session: Session, outcomes: Sequence[Outcome]) -> bool:
    """Whether `with_etas` is quick for these, which reads all open posts of their accounts."""
    running = [found.job.id for found in outcomes if _has_end(found)]
    used = select(Post.account_id).where(Post.job_id.in_(running), Post.state.in_(BACKLOG))
    accounts = session.scalars(used.distinct()).all() if running else ()
    some = select(Post.id).where(Post.account_id.in_(accounts), in_backlog()).limit(QUICK)
    return (session.scalar(select(func.count()).select_from(some.subquery())) or 0) < QUICK


def find_eta(
    session: Session, outcome: Outcome, account: Account, now: datetime, settings: Settings
) -> datetime | None:
    """The `eta` of a job whose posts all go to this account."""
    if not _has_end(outcome) or account.paused:
        return None
    flows = {account.id: _flow_of(account, now, settings)}
    ends = _find_ends(_job_loads(session, list(flows)), [outcome.job.id], flows)
    return max(ends[outcome.job.id], default=None)


def _has_end(outcome: Outcome) -> bool:
    return outcome.state in _OPEN and not outcome.counts.get(PostState.WAITING_APPROVAL)


def _find_ends(
    loads: Sequence[_JobLoad], job_ids: Collection[int], flows: Mapping[int, Flow]
) -> dict[int, list[datetime]]:
    """When each of these jobs is done, by account."""
    ends: dict[int, list[datetime]] = defaultdict(list)
    for job_load in loads:
        if job_load.job_id in job_ids:
            others = [
                other.load
                for other in loads
                if other.account_id == job_load.account_id and other is not job_load
            ]
            ends[job_load.job_id].append(done_at(job_load.load, others, flows[job_load.account_id]))
    return ends


def drain_times(
    session: Session, ids: Sequence[int], settings: Settings
) -> dict[int, datetime | None]:
    """When the backlog of each account is handed over; None if there is none, or it is held."""
    accounts = _account_flows(session, ids, settings)
    loads = _job_loads(session, list(accounts))
    return {
        account_id: drained_at(
            [job_load.load for job_load in loads if job_load.account_id == account_id], flow
        )
        for account_id, flow in accounts.items()
    }


def _account_flows(session: Session, ids: Sequence[int], settings: Settings) -> dict[int, Flow]:
    """Of the accounts that are not paused."""
    now = db.read_clock(session)
    rows = session.scalars(
        select(Account).where(Account.id.in_(ids), Account.paused.is_(False))
    ).all()
    return {row.id: _flow_of(row, now, settings) for row in rows}


def _flow_of(account: Account, now: datetime, settings: Settings) -> Flow:
    return Flow(
        now=now,
        budget=budget_state(account),
        settle=timedelta(seconds=settings.settle_seconds),
        pace=settings.writes_per_second,
    )


def _job_loads(session: Session, account_ids: Sequence[int]) -> list[_JobLoad]:
    """One row per account and job, without paused and held posts."""
    if not account_ids:
        return []
    rows = session.execute(
        select(Post.account_id, Post.job_id, *_load_columns())
        .join(Job, Job.id == Post.job_id)
        .join(Profile, Profile.id == Post.profile_id)
        .where(
            Post.account_id.in_(account_ids),
            in_backlog(),
            Job.paused.is_(False),
            Profile.paused.is_(False),
            ~holds.is_held(),
        )
        .group_by(Post.account_id, Post.job_id)
    )
    return [_load_from_row(dict(row)) for row in rows.mappings()]


def _load_columns() -> list[ColumnElement[Any]]:
    """With the names of the fields of `Load`."""
    size = (
        func.octet_length(Post.content)
        + func.octet_length(cast(Post.settings, Text))
        + 250
        + func.octet_length(cast(Post.thread, Text))
        + 300 * func.cardinality(used_media())
    )
    parts = 1 + func.jsonb_array_length(Post.thread)
    packed, dated = and_(_UNSENT, ~_DATED), and_(_UNSENT, _DATED)
    ready = case((_DATED, Post.publish_at - CALENDAR_AHEAD), else_=Post.publish_at)
    return [
        cast(func.coalesce(func.sum(parts).filter(packed), 0), BigInteger).label("staged"),
        cast(func.coalesce(func.sum(size).filter(packed), 0), BigInteger).label("staged_bytes"),
        func.count(Post.publish_at.distinct()).filter(dated).label("dates"),
        func.count().filter(~Post.as_draft).label("writes"),
        func.min(Post.publish_at).label("first_due"),
        func.max(Post.publish_at).label("last_due"),
        func.max(ready).label("ready_at"),
    ]


def _load_from_row(row: dict[str, Any]) -> _JobLoad:
    account_id, job_id = row.pop("account_id"), row.pop("job_id")
    return _JobLoad(account_id=account_id, job_id=job_id, load=Load(**row))
