"""What is to be thought of a Postiz server, from what was seen of the posts that it was given."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

#: So many posts that a server should have published, and did not, mean that it publishes nothing.
STALLED_POSTS = 3
#: At half of the posts. A video takes up to half an hour, so this is no reason to stop.
SLOW = timedelta(minutes=1)


class Verdict(StrEnum):
    WELL = "well"
    SLOW = "slow"  # it publishes, but late
    STALLED = "stalled"  # it takes posts, and publishes none of them
    UNREACHABLE = "unreachable"  # none of its accounts can be called


@dataclass(frozen=True, kw_only=True)
class SeenOfServer:
    """`stuck`: posts that are overdue, and were due after the last one was published.

    `failing`: accounts whose last call failed, of `accounts`. `median`: from the release of a post
    to its publication, None if none was published recently.
    """

    stuck: int
    failing: int
    accounts: int
    median: timedelta | None


def is_stalled(stuck: int) -> bool:
    """An older post that is overdue says nothing: the server has published others since."""
    return stuck >= STALLED_POSTS


def judge_server(seen: SeenOfServer) -> tuple[Verdict, str | None]:
    """The verdict, and why it is not `well`."""
    if is_stalled(seen.stuck):
        reason = (
            f"{seen.stuck} posts are overdue, and nothing was published since they were handed "
            "over: are its workers (Temporal) running?"
        )
        return Verdict.STALLED, reason
    if seen.accounts and seen.failing == seen.accounts:
        reason = (
            "the last call to each of its accounts failed: is it running, at this address? Posts "
            "wait, and go on by themselves when it answers"
        )
        return Verdict.UNREACHABLE, reason
    if seen.median is not None and seen.median > SLOW:
        seconds = seen.median.total_seconds()
        return Verdict.SLOW, f"half of the posts take longer than {seconds:.0f} s to be published"
    return Verdict.WELL, None
