"""Whether a channel can publish, from what Postiz lists and from how it refused a post."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.networks.failure_reasons import Reason


class ChannelState(StrEnum):
    READY = "ready"
    DISABLED = "disabled"  # switched off in Postiz
    RECONNECT_NEEDED = "reconnect_needed"  # its network does not accept Postiz's sign-in any more
    GONE = "gone"  # Postiz does not list it any more


#: The error code of a post that waits for its channel.
NOT_READY = "channel_not_ready"
#: What a person can do, by state.
_REMEDIES: Mapping[ChannelState, str] = {
    ChannelState.DISABLED: "Enable this channel in Postiz.",
    ChannelState.RECONNECT_NEEDED: "Reconnect this channel in Postiz.",
    ChannelState.GONE: "Connect this channel in Postiz again, or cancel its posts.",
}
#: What a state says of itself where Postiz gave no words.
SENTENCES: Mapping[ChannelState, str] = {
    ChannelState.DISABLED: "It is disabled in Postiz",
    ChannelState.RECONNECT_NEEDED: "Postiz has to be connected with it again",
    ChannelState.GONE: "Postiz does not list it any more",
}
#: Which state the reason for a failure tells of, by its code.
TOLD: Mapping[str, ChannelState] = {
    "reconnect_channel": ChannelState.RECONNECT_NEEDED,
    "channel_disabled": ChannelState.DISABLED,
}


def hint_of(state: ChannelState) -> str:
    """For a post that waits for a channel in this state."""
    return f"{_REMEDIES[state]} It goes on by itself then."


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A channel as Postiz lists it. What changes when somebody connects it again: `looks`."""

    disabled: bool
    looks: tuple[str | None, ...]


def judge_listing(
    before: ChannelState, listed_before: Listing | None, listed: Listing | None
) -> ChannelState:
    """The state after Postiz was asked for its list; `listed`: None if it does not list it.

    The list does not say that a channel has to be connected again, so what a refused post told
    holds until the channel's entry changes.
    """
    if listed is None:
        return ChannelState.GONE
    if listed.disabled:
        return ChannelState.DISABLED
    if before is ChannelState.RECONNECT_NEEDED and listed == listed_before:
        return ChannelState.RECONNECT_NEEDED
    return ChannelState.READY


def state_told_by(reason: Reason) -> ChannelState | None:
    """The state of its channel that a post's failure tells of, or None."""
    return TOLD.get(reason.code)
