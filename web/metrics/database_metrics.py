"""Open work as metrics: each count comes from an index that contains only these rows.

What has ended is counted by counters instead (shared/metrics.py), however much it is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import ColumnElement, Select, case, exists, func, select, true
from sqlalchemy.orm import Session

from shared.accounts import channel_states, holds
from shared.accounts.budget_queries import budget_remaining
from shared.containment import contain_failures
from shared.domain.networks.channel_states import ChannelState
from shared.domain.publishing.states import PostState
from shared.models import (
    Account,
    AccountMedia,
    Base,
    Delivery,
    Integration,
    Job,
    Post,
    Profile,
    Pulse,
    Server,
    Submission,
    Webhook,
)
from shared.posts.late_policy import is_in_time
from shared.webhooks.subscriptions import ON_DEMAND

#: How many accounts have their own metrics: those in trouble, then those with the most to do.
ACCOUNTS = 100

#: More than the longest time for which a draft is left alone before it is released.
SETTLING = timedelta(minutes=5)
LEASED = (
    PostState.STAGING,
    PostState.RELEASING,
    PostState.CANCELLING,
    PostState.RESCHEDULING,
)
WAITING = (PostState.PENDING, PostState.WAITING_APPROVAL, PostState.HELD, PostState.STAGED)
#: What is not to be handed over: it was, or it will not be, or a person has to say so first.
_NOT_OURS = (
    PostState.SCHEDULED,
    PostState.FAILED,
    PostState.HELD,
    PostState.WAITING_APPROVAL,
)
UPLOADS = ("pending", "uploading")


def labelled_gauge(name: str, about: str, label: str, samples: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"pressroom_{name}", about, labels=[label])
    for value, number in samples.items():
        family.add_metric([value], number)
    return family


def plain_gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"pressroom_{name}", about, value=value)


def read_metrics(session: Session) -> Iterator[Metric]:
    """All metrics of the database; a group that cannot be read does not stop the others."""
    for group in (
        _backlog_metrics,
        _oldest_post_metrics,
        _upload_metrics,
        _count_metrics,
        _delivery_metrics,
        _heartbeat_metrics,
        _server_metrics,
    ):
        found: list[Metric] = []
        with contain_failures("read_figures", group=group.__name__), session.begin_nested():
            found = list(group(session))
        yield from found


def _backlog_metrics(session: Session) -> Iterator[Metric]:
    now = session.scalars(select(func.now())).one()
    by_account = _count_open_posts(session)
    yield _state_metric(by_account)
    accounts = session.scalars(select(Account)).all()
    troubles = _account_troubles(session, accounts, now)
    yield _condition_metric(troubles.values())
    yield from _account_metrics(accounts, troubles, by_account, now)


def _server_metrics(session: Session) -> Iterator[Metric]:
    stalled = session.scalar(select(func.count()).where(Server.stalled_since.is_not(None)))
    about = "Postiz servers that take posts and publish none"
    yield plain_gauge("stalled_servers", about, float(stalled or 0))
    waited_for = (
        select(func.count())
        .select_from(Integration)
        .where(Integration.state != ChannelState.READY, channel_states.is_waited_for())
    )
    about = "Channels that cannot publish, and that posts wait for"
    yield plain_gauge("channels_waited_for", about, float(session.scalar(waited_for) or 0))


def _heartbeat_metrics(session: Session) -> Iterator[Metric]:
    seconds_ago = func.extract("epoch", func.now() - Pulse.seen_at)
    seen = {name: float(age) for name, age in session.execute(select(Pulse.name, seconds_ago))}
    yield labelled_gauge("seen_seconds_ago", "When a process was seen last", "process", seen)


def _count_open_posts(session: Session) -> dict[tuple[int, str], int]:
    """How many posts each account has in each state that an index holds.

    The state is not read where the index's condition names it, so that the index is enough.
    """
    found: dict[tuple[int, str], int] = {}
    for state in (*WAITING, PostState.FAILED):
        count_query = select(Post.account_id, func.count()).where(Post.state == state)
        for account_id, count in session.execute(count_query.group_by(Post.account_id)):
            found[account_id, state] = count
    tracked = (Post.state == PostState.SCHEDULED) & Post.track_at.is_not(None)
    for condition in (Post.state.in_(LEASED), tracked):
        query = select(Post.account_id, Post.state, func.count()).where(condition)
        for account_id, name, count in session.execute(query.group_by(Post.account_id, Post.state)):
            found[account_id, name] = count
    return found


def _state_metric(by_account: dict[tuple[int, str], int]) -> Metric:
    shown = (*WAITING, PostState.SCHEDULED, PostState.FAILED, *LEASED)
    total = {str(state): 0.0 for state in shown}
    for (_, state), count in by_account.items():
        total[state] += count
    return labelled_gauge("posts", "Posts in a state", "state", total)


def _oldest_post_metrics(session: Session) -> Iterator[Metric]:
    """How long the oldest post waits that is past its time and not held back."""
    states = (PostState.PENDING, PostState.STAGED)
    ages = {str(state): _oldest_due_seconds(session, state) for state in states}
    yield labelled_gauge("oldest_due_seconds", "Past its time, and not held back", "state", ages)


def _oldest_due_seconds(session: Session, state: PostState) -> float:
    """One look into an index per profile that may publish; 0 if nothing is late.

    No index has the times of staged posts. Among those that may be released now, or are settling
    yet, which are few, the earliest is found by reading them.
    """
    unpaused_job = exists().where(Job.id == Post.job_id, Job.paused.is_(False)).correlate(Post)
    unpaused_account = exists().where(Account.id == Profile.account_id, Account.paused.is_(False))
    soon = func.now() + SETTLING
    first_due = (
        select(Post.publish_at)
        .where(
            Post.profile_id == Profile.id,
            Post.account_id == Profile.account_id,
            Post.state == state,
            Post.waits_for == "",
            Post.publish_at <= func.now(),
            Post.release_at <= soon if state is PostState.STAGED else true(),
            Post.take_back.is_(False),
            is_in_time(),
            unpaused_job,
        )
        .order_by(Post.publish_at)
    )
    may_publish = Profile.paused.is_(False), ~holds.is_held(), unpaused_account
    return _longest_wait(session, Profile, first_due, *may_publish)


def _longest_wait(
    session: Session,
    model: type[Base],
    first_query: Select[datetime],
    *conditions: ColumnElement[bool],
) -> float:
    """Seconds since the earliest moment of `first_query` over all rows of `model`, else 0.

    `conditions`: which rows of `model` count.
    """
    earliest = first_query.limit(1).correlate(model).lateral()
    [moment] = earliest.c
    age = select(func.extract("epoch", func.now() - func.min(moment)))
    query = age.select_from(model).join(earliest, true()).where(*conditions)
    return max(0.0, float(session.scalar(query) or 0))


def _upload_metrics(session: Session) -> Iterator[Metric]:
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
    yield labelled_gauge("uploads", "Media on their way to a Postiz", "state", counts)
    oldest = max((float(row[2]) for row in rows if row[0] == "pending"), default=0.0)
    yield plain_gauge("oldest_upload_seconds", "Due, and not begun", max(0.0, oldest))


def _count_metrics(session: Session) -> Iterator[Metric]:
    jobs = session.scalar(select(func.count()).where(Job.finished_at.is_(None)))
    yield plain_gauge("jobs_unfinished", "Jobs under way", float(jobs or 0))
    in_doubt = session.scalar(select(func.count()).where(Post.in_doubt))
    yield plain_gauge(
        "posts_in_doubt", "Late in Postiz, or failing there so far", float(in_doubt or 0)
    )
    windows = session.scalar(select(func.count()).where(Submission.litter_at.is_not(None)))
    yield plain_gauge("litter_windows", "Unclear calls that are looked after", float(windows or 0))


def _delivery_metrics(session: Session) -> Iterator[Metric]:
    """What waits for webhooks, and the condition of the webhooks."""
    condition = case(
        (Webhook.disabled_reason == ON_DEMAND, "switched off"),
        (Webhook.enabled.is_(False), "given up"),
        (Webhook.failures > 0, "failing"),
        else_="sound",
    )
    by_condition = dict.fromkeys(("sound", "failing", "given up", "switched off"), 0.0)
    for name, count in session.execute(select(condition, func.count()).group_by(condition)):
        by_condition[name] = float(count)
    yield labelled_gauge("webhooks", "Receivers of events", "condition", by_condition)
    first = (
        select(Delivery.next_at)
        .where(Delivery.webhook_id == Webhook.id, Delivery.state == "pending")
        .order_by(Delivery.next_at)
    )
    oldest = _longest_wait(
        session, Webhook, first, Webhook.enabled.is_(True), Webhook.failures == 0
    )
    yield plain_gauge("oldest_delivery_seconds", "Due to a receiver that is sound", oldest)
    waiting = session.scalar(select(func.count()).where(Delivery.state == "pending"))
    yield plain_gauge("deliveries_waiting", "Not delivered yet", float(waiting or 0))


def _condition_metric(troubles: Iterable[Sequence[str]]) -> Metric:
    count = Counter(name for names_of_account in troubles for name in names_of_account or ["sound"])
    names = ("sound", "unhealthy", "held", "blocked", "paused")
    by_name = {name: float(count[name]) for name in names}
    return labelled_gauge("accounts", "Postiz organizations", "condition", by_name)


def _account_troubles(
    session: Session, accounts: Iterable[Account], now: datetime
) -> dict[int, Sequence[str]]:
    """What prevents each account from publishing, with one of its keys or with all."""
    held = {held_profile.account_id for held_profile in holds.list_held(session)}
    return {
        account.id: [
            name
            for name, applies in {
                "unhealthy": not account.healthy,
                "held": account.id in held,
                "blocked": account.blocked_until is not None and account.blocked_until > now,
                "paused": account.paused,
            }.items()
            if applies
        ]
        for account in accounts
    }


def _account_metrics(
    accounts: Sequence[Account],
    troubles: Mapping[int, Sequence[str]],
    by_account: dict[tuple[int, str], int],
    now: datetime,
) -> Iterator[Metric]:
    """Labelled with the id that `GET /accounts` shows."""
    waiting: Counter[int] = Counter()
    for (account_id, state), count in by_account.items():
        if state not in _NOT_OURS:
            waiting[account_id] += count
    ranked = sorted(accounts, key=lambda account: (not troubles[account.id], -waiting[account.id]))
    shown = {str(account.id): account for account in ranked[:ACCOUNTS]}
    backlog = {label: float(waiting[account.id]) for label, account in shown.items()}
    yield labelled_gauge("account_backlog", "Posts still to hand over", "account", backlog)
    left = {label: budget_remaining(account, now) for label, account in shown.items()}
    known = {label: float(calls) for label, calls in left.items() if calls is not None}
    yield labelled_gauge("account_budget_remaining", "Counted calls left", "account", known)
    blocked = {
        label: _seconds_until(account.blocked_until, now) for label, account in shown.items()
    }
    yield labelled_gauge("account_blocked_seconds", "Until its block ends", "account", blocked)


def _seconds_until(moment: datetime | None, now: datetime) -> float:
    return max(timedelta(0), moment - now).total_seconds() if moment else 0.0
