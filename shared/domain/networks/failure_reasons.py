"""Why Postiz failed to publish: the reason from its notifications, and what to do.

A notification does not name the post. It names a channel, or only the network. So a reason is used
only if the notification can be about no other channel and fits the time of the post.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.domain.networks.channel import Channel


@dataclass(frozen=True, kw_only=True)
class Notice:
    content: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Reason:
    code: str
    message: str
    hint: str


NONE_GIVEN = Reason(
    code="failed_in_postiz",
    message="Postiz could not publish it. Postiz gave no reason.",
    hint="Look at the post in Postiz's calendar.",
)
#: The code of a thread whose first part is on the network, and of which Postiz reports an error.
INCOMPLETE = "thread_incomplete"
_RECONNECT = "Reconnect this channel in Postiz, then retry the post."
#: A part of Postiz's text (docs/POSTIZ.md, "Notifications"), the code, and what to do.
KNOWN = (
    ("need to reconnect", "reconnect_channel", _RECONNECT),
    ("could not refresh", "reconnect_channel", _RECONNECT),
    ("it's disabled", "channel_disabled", "Enable this channel in Postiz, then retry the post."),
    ("it is disabled", "channel_disabled", "Enable this channel in Postiz, then retry the post."),
    (
        "couldn't confirm",
        "outcome_unknown",
        "Look at the channel: it may be published. Retry it only if it is not.",
    ),
)
#: Postiz says these before it sends anything to the network (docs/POSTIZ.md, "Notifications").
#: "Could not refresh" is not among them: a part of a thread may be out already.
_BEFORE_SENDING = ("need to reconnect it", "it's disabled", "it is disabled")
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
#: Finds the network in Postiz's sentences.
_NETWORK = re.compile(
    r"\b(?:posting(?: comments)? on|post to|sent to|refresh your) ([\w-]+)", re.IGNORECASE
)

#: A text with the names of more channels than this tells of none of them.
_MAX_NAMES = 20
#: Finds the name of the channel in them.
_NAME = re.compile(r"\bfor (.+) because |\bcheck your (.+) account ")


def describe_incomplete(found: Reason) -> Reason:
    """Why a thread is incomplete: `found` is what Postiz says of one of its later parts."""
    if found.code == INCOMPLETE:
        return found
    return Reason(
        code=INCOMPLETE,
        message="The first part is on the network, and Postiz reports an error of a later one: "
        f"the rest is missing, or went out in a later attempt. {found.message}",
        hint="Look at the channel, and add there what is missing. A retry publishes all parts "
        "again: delete those that are there first.",
    )


#: Of a thread, where Postiz gave no reason.
INCOMPLETE_UNEXPLAINED = describe_incomplete(NONE_GIVEN)


def find_reason(
    notices: Sequence[Notice],
    *,
    channel_id: str,
    channels: Sequence[Channel],
    since: datetime,
    until: datetime,
) -> Reason | None:
    """The reason in the newest failure notice about this channel, or None.

    Only notices from `since` to `until` count. `channels`: all channels of the account.
    """
    relevant = _failures_of_channel(notices, channel_id, channels, since, until)
    if not relevant:
        return None
    return _parse_reason(max(relevant, key=lambda notice: notice.created_at).content)


def count_refusals(
    notices: Sequence[Notice], *, channel_id: str, channels: Sequence[Channel], since: datetime
) -> int:
    """How many posts Postiz refused for this channel since then, before it sent anything of them:
    it says so once for each."""
    failures = _failures_of_channel(notices, channel_id, channels, since, LAST_MOMENT)
    return sum(is_before_sending(notice.content) for notice in failures)


def is_before_sending(words: str) -> bool:
    """Whether Postiz says with these words that it refused a post for its channel, before anything
    of it was sent."""
    return any(phrase in words.lower() for phrase in _BEFORE_SENDING)


def _failures_of_channel(
    notices: Sequence[Notice],
    channel_id: str,
    channels: Sequence[Channel],
    since: datetime,
    until: datetime,
) -> list[Notice]:
    return [
        notice
        for notice in notices
        if since <= notice.created_at <= until
        and "has been published" not in notice.content
        and [channel.id for channel in _match_channels(notice.content, channels)] == [channel_id]
    ]


def _parse_reason(words: str) -> Reason:
    for phrase, code, hint in KNOWN:
        if phrase in words.lower():
            return Reason(code=code, message=f"Postiz says: {words}", hint=hint)
    return Reason(
        code=NONE_GIVEN.code,
        message=f"Postiz says: {words}",
        hint="Correct what the network refuses, then retry the post.",
    )


def _match_channels(words: str, channels: Sequence[Channel]) -> list[Channel]:
    """The channels that the text can be about: by id, else by name, else by network."""
    if by_id := [channel for channel in channels if _is_mentioned(channel.id, words)]:
        return by_id
    network = _NETWORK.search(words)
    of_network = list(_channels_of_network(network[1].lower() if network else None, channels))
    if name := _NAME.search(words):
        channel_name = name[1] or name[2]
        return [channel for channel in of_network if channel.name == channel_name]
    rest = words[network.end() :] if network else words
    return _match_by_name(rest, of_network) or (
        [] if _match_by_name(rest, channels) else of_network
    )


def _channels_of_network(network: str | None, channels: Sequence[Channel]) -> Iterator[Channel]:
    for channel in channels:
        if network is None or (channel.identifier or "").lower() == network:
            yield channel


def _match_by_name(words: str, channels: Sequence[Channel]) -> list[Channel]:
    """Channels whose name is in the text, except as a part of a longer name that is in it."""
    found = [channel for channel in channels if channel.name and _is_mentioned(channel.name, words)]
    names = {channel.name for channel in found if channel.name}
    if len(names) > _MAX_NAMES:
        return found
    parts = {name for name in names for other in names - {name} if _is_mentioned(name, other)}
    return [channel for channel in found if channel.name not in parts]


def _is_mentioned(name: str, words: str) -> bool:
    """Whether the text has the name, and not only as a part of a longer word."""
    start = words.find(name) if name else -1
    while start >= 0:
        around = words[max(0, start - 1) : start] + words[start + len(name) :][:1]
        if not any(letter.isalnum() or letter == "_" for letter in around):
            return True
        start = words.find(name, start + 1)
    return False
