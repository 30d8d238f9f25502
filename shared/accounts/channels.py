"""An account's integrations as channels, which is the form that the rules use."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from shared.accounts import identity
from shared.domain.networks.channel import Channel
from shared.domain.networks.channel_states import ChannelState
from shared.models import Account, Integration
from shared.postiz.client import RemoteIntegration


def channel_of(row: Integration | RemoteIntegration) -> Channel:
    trouble = None
    if isinstance(row, Integration) and row.state != ChannelState.READY:
        trouble = row.state_reason
    return Channel(
        id=row.id,
        identifier=row.identifier,
        name=row.name,
        disabled=row.disabled,
        trouble=trouble,
    )


def channels_by_id(rows: Iterable[Integration | RemoteIntegration]) -> dict[str, Channel]:
    return {row.id: channel_of(row) for row in rows}


def read_channels(session: Session, account: Account) -> dict[str, Channel] | None:
    """The integrations by id as Postiz last listed them, None if it never did."""
    if account.integrations_seen_at is None:
        return None
    return channels_by_id(identity.read_integrations(session, account.id))
