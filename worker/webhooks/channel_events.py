"""Tells webhooks of channels that cannot publish, or can again: each change once."""

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from shared.domain.networks.channel_states import ChannelState
from shared.domain.webhook_retries import CHANNEL_NOT_READY, CHANNEL_READY
from shared.models import Integration
from shared.webhooks import outbox

#: Channels in one round; the next round continues.
BATCH = 200


def is_untold() -> ColumnElement[bool]:
    return Integration.state != Integration.told_state


def tell_channels(session: Session) -> None:
    """Write the events of all changes since the last round."""
    changed = select(Integration).where(is_untold()).order_by(Integration.id).limit(BATCH)
    locked = changed.with_for_update(key_share=True, skip_locked=True)
    for channel in session.scalars(locked).all():
        is_ready = channel.state == ChannelState.READY
        event = CHANNEL_READY if is_ready else CHANNEL_NOT_READY
        outbox.enqueue_channel_event(session, channel, event)
        channel.told_state = channel.state
