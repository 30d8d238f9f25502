"""Why Postiz failed to publish: its words, found among its notifications, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


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
    message="Postiz could not publish it, and gave no reason.",
    hint="Look at the post in Postiz's calendar.",
)
#: Seen in recorded notifications (POSTIZ.md): part of Postiz's words → code, and what to do.
KNOWN = (
    (
        "need to reconnect",
        "reconnect_channel",
        "Reconnect this channel in Postiz, then retry the post.",
    ),
    (
        "could not refresh",
        "reconnect_channel",
        "Reconnect this channel in Postiz, then retry the post.",
    ),
    (
        "couldn't confirm",
        "outcome_unknown",
        "Look at the channel: it may be published. Retry it only if it is not.",
    ),
)


def find_reason(
    notices: Sequence[Notice], *, identifier: str | None, name: str | None, since: datetime
) -> Reason:
    """The newest bad news about this integration after `since`; a notification names no post."""
    about = [
        notice
        for notice in sorted(notices, key=lambda one: one.created_at, reverse=True)
        if notice.created_at >= since
        and "has been published" not in notice.content
        and _names(notice.content.lower(), identifier, name)
    ]
    if not about:
        return NONE_GIVEN
    words = about[0].content
    for part, code, hint in KNOWN:
        if any(part in notice.content.lower() for notice in about):
            found = next(n.content for n in about if part in n.content.lower())
            return Reason(code=code, message=f"Postiz says: {found}", hint=hint)
    return Reason(
        code=NONE_GIVEN.code,
        message=f"Postiz says: {words}",
        hint="Correct what the network refuses, then retry the post.",
    )


def _names(text: str, identifier: str | None, name: str | None) -> bool:
    wanted = [identifier or "", (identifier or "").split("-", 1)[0], name or ""]
    return any(one and one.lower() in text for one in wanted)
