"""What is open, as figures: each count from an index that holds these rows alone.

What has ended is told by counters instead (shared/metrics.py), however much there is of it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import ColumnElement, Select, case, exists, func, select, true
from sqlalchemy.orm import Session

from shared.accounts import holds
from shared.accounts.budget_queries import budget_remaining
from shared.containment import contained
from shared.domain.publishing.states import PostState
from shared.models import (
    Account,
    AccountMedia,
    Base,
    Delivery,
    Job,
    Post,
    Profile,
    Pulse,
    Submission,
    Webhook,
)
from shared.posts.late_policy import not_too_late
from shared.webhooks.subscriptions import ON_DEMAND

#: Accounts with figures of their own: those in trouble, then those with the most to do.
ACCOUNTS = 100

LEASED = (PostState.STAGING, PostState.RELEASING, PostState.CANCELLING)
UPLOADS = ("pending", "uploading")


def gauge(name: str, about: str, label: str, samples: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"pressroom_{name}", about, labels=[label])
    for value, number in samples.items():
        family.add_metric([value], number)
    return family


def number(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"pressroom_{name}", about, value=value)


def read(session: Session) -> Iterator[Metric]:
    """Every figure of the database; a group of them that cannot be read costs no other."""
    for group in (_backlogs, _oldest, _uploads, _counts, _deliveries, _pulses):
        found: list[Metric] = []
        with contained("read_figures", group=group.__name__), session.begin_nested():
            found = list(group(session))
        yield from found


def _backlogs(session: Session) -> Iterator[Metric]:
    now = session.scalars(select(func.now())).one()
    by_account = _open_posts(session)
    yield _by_state(by_account)
    accounts = session.scalars(select(Account)).all()
    wrong = _troubles(session, accounts, now)
    yield _conditions(wrong.values())
    yield from _of_accounts(accounts, wrong, by_account, now)


def _pulses(session: Session) -> Iterator[Metric]:
    ago = func.extract("epoch", func.now() - Pulse.seen_at)
    seen = {name: float(age) for name, age in session.execute(select(Pulse.name, ago))}
    yield gauge("seen_seconds_ago", "When a process was seen last", "process", seen)


def _open_posts(session: Session) -> dict[tuple[int, str], int]:
    """How many posts each account has in each state that an index holds."""
    wanted: list[ColumnElement[bool]] = [
        Post.state == PostState.PENDING,
        Post.state == PostState.HELD,
        Post.state == PostState.STAGED,
        Post.state == PostState.FAILED,
        Post.state.in_(LEASED),
        (Post.state == PostState.SCHEDULED) & Post.track_at.is_not(None),
    ]
    found: dict[tuple[int, str], int] = {}
    for condition in wanted:
        query = select(Post.account_id, Post.state, func.count()).where(condition)
        for account_id, state, count in session.execute(
            query.group_by(Post.account_id, Post.state)
        ):
            found[account_id, state] = count
    return found


def _by_state(by_account: dict[tuple[int, str], int]) -> Metric:
    waiting = (PostState.PENDING, PostState.HELD, PostState.STAGED, PostState.SCHEDULED)
    shown = (*waiting, PostState.FAILED, *LEASED)
    total = {str(state): 0.0 for state in shown}
    for (_, state), count in by_account.items():
        total[state] += count
    return gauge("posts", "Posts in a state", "state", total)


def _oldest(session: Session) -> Iterator[Metric]:
    """How long the oldest post waits that is past its time, and that nobody holds back."""
    states = (PostState.PENDING, PostState.STAGED)
    ages = {str(state): _oldest_in(session, state) for state in states}
    yield gauge("oldest_due_seconds", "Past its time, and not held back", "state", ages)


def _oldest_in(session: Session, state: PostState) -> float:
    """By a look into the index for each account: 0 where nothing is late."""
    may = exists().where(Job.id == Post.job_id, Job.paused.is_(False)).correlate(Post)
    first = (
        select(Post.publish_at)
        .join(Profile, (Profile.id == Post.profile_id) & Profile.paused.is_(False))
        .where(
            ~holds.is_held(),
            Post.account_id == Account.id,
            Post.state == state,
            Post.publish_at <= func.now(),
            Post.take_back.is_(False),
            not_too_late(),
            may,
        )
        .order_by(Post.publish_at)
    )
    return _longest(session, Account, first, Account.paused.is_(False))


def _longest(
    session: Session, whose: type[Base], first: Select[datetime], *which: ColumnElement[bool]
) -> float:
    """Seconds since the earliest moment that the row of `first` tells of any of `whose`, else 0."""
    each = first.limit(1).correlate(whose).lateral()
    [moment] = each.c
    age = select(func.extract("epoch", func.now() - func.min(moment)))
    query = age.select_from(whose).join(each, true()).where(*which)
    return max(0.0, float(session.scalar(query) or 0))


def _uploads(session: Session) -> Iterator[Metric]:
    query = (
        select(
            AccountMedia.state,
            func.count(),
            func.extract("epoch", func.now() - func.min(AccountMedia.next_at)),
        )
        .where(AccountMedia.state.in_(UPLOADS))
        .group_by(AccountMedia.state)
    )
    rows: list[Any] = list(session.execute(query))
    counts = dict.fromkeys(UPLOADS, 0.0) | {str(row[0]): float(row[1]) for row in rows}
    yield gauge("uploads", "Media on their way to a Postiz", "state", counts)
    oldest = max((float(row[2]) for row in rows if row[0] == "pending"), default=0.0)
    yield number("oldest_upload_seconds", "Due, and not begun", max(0.0, oldest))


def _counts(session: Session) -> Iterator[Metric]:
    jobs = session.scalar(select(func.count()).where(Job.finished_at.is_(None)))
    yield number("jobs_unfinished", "Jobs under way", float(jobs or 0))
    doubt = session.scalar(select(func.count()).where(Post.in_doubt))
    yield number("posts_in_doubt", "Late in Postiz, or failing there so far", float(doubt or 0))
    windows = session.scalar(select(func.count()).where(Submission.litter_at.is_not(None)))
    yield number("litter_windows", "Unclear calls that are looked after", float(windows or 0))


def _deliveries(session: Session) -> Iterator[Metric]:
    """What webhooks wait for, and how those receivers do that are to be told of events."""
    condition = case(
        (Webhook.disabled_reason == ON_DEMAND, "switched off"),
        (Webhook.enabled.is_(False), "given up"),
        (Webhook.failures > 0, "failing"),
        else_="sound",
    )
    by_condition = dict.fromkeys(("sound", "failing", "given up", "switched off"), 0.0)
    for name, count in session.execute(select(condition, func.count()).group_by(condition)):
        by_condition[name] = float(count)
    yield gauge("webhooks", "Receivers of events", "condition", by_condition)
    first = (
        select(Delivery.next_at)
        .where(Delivery.webhook_id == Webhook.id, Delivery.state == "pending")
        .order_by(Delivery.next_at)
    )
    oldest = _longest(session, Webhook, first, Webhook.enabled.is_(True), Webhook.failures == 0)
    yield number("oldest_delivery_seconds", "Due to a receiver that is sound", oldest)
    waiting = session.scalar(select(func.count()).where(Delivery.state == "pending"))
    yield number("deliveries_waiting", "Not delivered yet", float(waiting or 0))


def _conditions(troubles: Iterable[Sequence[str]]) -> Metric:
    count = Counter(name for found in troubles for name in found or ["sound"])
    names = ("sound", "unhealthy", "held", "blocked", "paused")
    by_name = {name: float(count[name]) for name in names}
    return gauge("accounts", "Postiz organizations", "condition", by_name)


def _troubles(
    session: Session, accounts: Iterable[Account], now: datetime
) -> dict[int, Sequence[str]]:
    """What keeps each account from publishing, with one of its keys or with all."""
    held = {one.account_id for one in holds.list_held(session)}
    return {
        account.id: [
            name
            for name, is_so in {
                "unhealthy": not account.healthy,
                "held": account.id in held,
                "blocked": account.blocked_until is not None and account.blocked_until > now,
                "paused": account.paused,
            }.items()
            if is_so
        ]
        for account in accounts
    }


def _of_accounts(
    accounts: Sequence[Account],
    troubles: Mapping[int, Sequence[str]],
    by_account: dict[tuple[int, str], int],
    now: datetime,
) -> Iterator[Metric]:
    """By the number that `GET /accounts` shows."""
    waiting: Counter[int] = Counter()
    for (account_id, state), count in by_account.items():
        if state not in (PostState.SCHEDULED, PostState.FAILED, PostState.HELD):
            waiting[account_id] += count
    foremost = sorted(accounts, key=lambda one: (not troubles[one.id], -waiting[one.id]))
    shown = {str(one.id): one for one in foremost[:ACCOUNTS]}
    backlog = {label: float(waiting[one.id]) for label, one in shown.items()}
    yield gauge("account_backlog", "Posts still to hand over", "account", backlog)
    left = {label: budget_remaining(one, now) for label, one in shown.items()}
    known = {label: float(calls) for label, calls in left.items() if calls is not None}
    yield gauge("account_budget_remaining", "Counted calls left", "account", known)
    blocked = {label: _seconds(one.blocked_until, now) for label, one in shown.items()}
    yield gauge("account_blocked_seconds", "Until its block ends", "account", blocked)


def _seconds(moment: datetime | None, now: datetime) -> float:
    return max(timedelta(0), moment - now).total_seconds() if moment else 0.0
