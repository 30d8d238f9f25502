"""Which channels of an account can publish; posts of the others wait for them.

A post that waits is set aside (waits.py) without an end of its own: it goes on when its channel is
ready again, when a person says so, or when it is its turn to be tried.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, String, cast, exists, func, literal, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.domain.networks.channel_states import (
    NOT_READY,
    SENTENCES,
    ChannelState,
    Listing,
    hint_of,
    judge_listing,
)
from shared.domain.publishing.retry_limits import CHANNEL_TRIALS
from shared.domain.publishing.states import PostState
from shared.log import get_logger
from shared.models import Account, Integration, Post

#: Channels that are tried in one round.
TRIED_AT_ONCE = 100
_READY_AGAIN: Mapping[str, object] = {
    "state": ChannelState.READY,
    "state_since": func.now(),
    "state_reason": None,
    "trial_at": None,
    "trials": 0,
}

log = get_logger("channels")


def listing_of(row: Integration) -> Listing | None:
    """The channel as Postiz listed it last."""
    if not row.listed:
        return None
    return Listing(disabled=row.disabled, looks=(row.name, row.picture, row.profile))


def known_channels(session: Session, account_id: int) -> dict[str, Listing | None]:
    """All channels of the account that were ever listed, locked until their states are recorded."""
    rows = select(Integration).where(Integration.account_id == account_id)
    locked = rows.order_by(Integration.id).with_for_update(key_share=True)
    return {row.id: listing_of(row) for row in session.scalars(locked)}


def record_listing(
    session: Session, account: Account, before: Mapping[str, Listing | None]
) -> None:
    """Call it after a new list of the account was saved; `before`: what was known until then."""
    query = select(Integration).where(Integration.account_id == account.id)
    rows = session.scalars(query, execution_options={"populate_existing": True}).all()
    ready: list[str] = []
    for row in rows:
        state = ChannelState(row.state)
        seen = judge_listing(state, before.get(row.id), listing_of(row))
        if seen is state:
            continue
        if seen is ChannelState.READY:
            ready.append(row.id)
        else:
            is_news = row.id in before
            mark_not_ready(session, account.id, row.id, seen, SENTENCES[seen], is_news=is_news)
    mark_ready(session, account.id, ready)


def mark_not_ready(
    session: Session,
    account_id: int,
    integration_id: str,
    state: ChannelState,
    reason: str,
    *,
    is_news: bool = True,
) -> None:
    """The channel cannot publish: its posts wait, also those that were tried meanwhile.

    `is_news`: whether webhooks are told. `reason`: in words.
    """
    query = select(Integration).where(*_is_channel(account_id, [integration_id]))
    row = session.scalar(
        query.with_for_update(key_share=True).execution_options(populate_existing=True)
    )
    if row is None:
        return
    changed = row.state != state
    if changed:
        row.state, row.state_since, row.state_reason = state, func.now(), reason
        row.trials, row.trial_at = 0, None
        if not is_news:
            row.told_state = state
        log.warning("a channel is not ready", account=account_id, channel=row.id, state=state)
    if state is ChannelState.RECONNECT_NEEDED and row.trial_at is None:
        pause = CHANNEL_TRIALS.pause(row.trials)
        row.trial_at = None if pause is None else func.now() + pause
    session.flush()
    hold_back(session, Post.account_id == account_id, Post.integration_id == integration_id)


def mark_connected(session: Session, account_id: int, ids: Collection[str]) -> None:
    """Something was published through these channels. One that is disabled stays so."""
    mark_ready(session, account_id, ids, Integration.state == ChannelState.RECONNECT_NEEDED)


def mark_ready(
    session: Session, account_id: int, ids: Collection[str], *which: ColumnElement[bool]
) -> int:
    """These channels can publish, and the posts that waited for them go on; returns how many of the
    channels were not ready before."""
    if not ids:
        return 0
    changed = update(Integration).where(
        *_is_channel(account_id, ids), Integration.state != ChannelState.READY, *which
    )
    rows = session.scalars(
        changed.values(_READY_AGAIN).returning(Integration),
        execution_options={"synchronize_session": False, "populate_existing": True},
    ).all()
    for row in rows:
        log.info("a channel is ready again", account=account_id, channel=row.id)
        _end_wait(session, Post.waits_for == wait_for(account_id, row.id))
    return len(rows)


def hold_back(session: Session, *which: ColumnElement[bool]) -> None:
    """Let those of these posts wait whose channels are not ready.

    The channels are locked against becoming ready meanwhile. Posts that another transaction has
    locked are left: Postiz refuses what is sent for them, and they wait then.
    """
    channels = select(Integration).where(
        Integration.state != ChannelState.READY,
        exists().where(*_is_of_channel(), *_may_wait(), *which).correlate(Integration),
    )
    for channel in session.scalars(channels.with_for_update(read=True)).all():
        own = Post.account_id == channel.account_id, Post.integration_id == channel.id
        posts = select(Post.id).where(*own, *_may_wait(), *which)
        ids = session.scalars(posts.with_for_update(key_share=True, skip_locked=True)).all()
        state = ChannelState(channel.state)
        values = {
            "waits_for": wait_for(channel.account_id, channel.id),
            "aside_until": None,
            "error_code": NOT_READY,
            "error_message": f"{channel.name}: {channel.state_reason or SENTENCES[state]}",
            "error_hint": hint_of(state),
        }
        _update(session, values, Post.id.in_(ids))


def read_shown(session: Session, account_id: int) -> Sequence[Integration]:
    """The account's channels by name: those that Postiz listed last, and those posts wait for."""
    shown = or_(Integration.listed, is_waited_for())
    query = select(Integration).where(Integration.account_id == account_id, shown)
    return session.scalars(query.order_by(Integration.name, Integration.id)).all()


def is_trial_due() -> tuple[ColumnElement[bool], ...]:
    """Channels of whose waiting posts one is to be tried."""
    is_due = Integration.state != ChannelState.READY, Integration.trial_at <= func.now()
    return *is_due, is_waited_for()


def try_channels(session: Session) -> None:
    """Let the first of the posts that wait for each of these channels go on."""
    due = select(Integration).where(*is_trial_due()).order_by(Integration.trial_at)
    locked = due.limit(TRIED_AT_ONCE).with_for_update(key_share=True, skip_locked=True)
    for channel in session.scalars(locked).all():
        waiting = Post.waits_for == wait_for(channel.account_id, channel.id)
        first = select(Post.id).where(waiting).order_by(Post.publish_at, Post.id).limit(1)
        # not within the update: there it may be executed again for each row
        post_id = session.scalar(first.with_for_update(key_share=True, skip_locked=True))
        _end_wait(session, Post.id == post_id)
        channel.trials += 1
        pause = CHANNEL_TRIALS.pause(channel.trials)
        channel.trial_at = None if pause is None else func.now() + pause


def wait_for(account_id: int, integration_id: str) -> str:
    return f"channel {integration_id} of {account_id}"


def is_waited_for() -> ColumnElement[bool]:
    """Whether posts wait for the channel."""
    name = _in_sql(Integration.id, Integration.account_id)
    return exists().where(Post.waits_for == name, Post.waits_for != "").correlate(Integration)


def waits_for_its_channel() -> ColumnElement[bool]:
    """Of a post."""
    return Post.waits_for == _in_sql(Post.integration_id, Post.account_id)


def _in_sql(
    integration_id: InstrumentedAttribute[str], account_id: InstrumentedAttribute[int]
) -> ColumnElement[str]:
    """As `wait_for`."""
    return func.concat("channel ", integration_id, " of ", cast(account_id, String))


def _is_channel(account_id: int, ids: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return Integration.account_id == account_id, Integration.id.in_(ids)


def _is_of_channel() -> Sequence[ColumnElement[bool]]:
    return Post.account_id == Integration.account_id, Post.integration_id == Integration.id


def _may_wait() -> Sequence[ColumnElement[bool]]:
    states = (PostState.PENDING, PostState.STAGED)
    return Post.state.in_(states), Post.waits_for == literal(""), Post.as_draft.is_(False)


def _end_wait(session: Session, *which: ColumnElement[bool]) -> None:
    no_error = dict.fromkeys(("error_code", "error_message", "error_hint"))
    _update(session, {"waits_for": "", "next_at": func.now(), **no_error}, *which)


def _update(session: Session, values: Mapping[str, object], *which: ColumnElement[bool]) -> None:
    changed = update(Post).where(*which).values(values)
    session.execute(changed, execution_options={"synchronize_session": False})
