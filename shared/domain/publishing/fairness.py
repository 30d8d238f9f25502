"""Whose turn it is: fair among the profiles of a server, then the earliest due first.

Within a profile, and within the calls of an account, posts with their own time go before a backlog.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class DueProfile:
    """A profile whose earliest staged post may be released since `due_at`.

    `waited`: seconds for which it could have been released already, with its server free. `sound`:
    whether its account's last call was answered correctly. `suspect`: whether it, or its whole
    server, may hang.
    """

    profile_id: str
    account_id: int
    server: str
    due_at: datetime
    waited: float = 0.0
    sound: bool = True
    suspect: bool = False


#: One turn out of this many goes to the backlog, whatever else is due.
BACKLOG_EVERY = 4


def is_backlog_turn(turn: int) -> bool:
    """Whether the backlog goes first in this turn of a profile or account; turns count from 0.

    In all other turns, a post goes first whose own time is near. Behind a bulk that goes out as
    soon as possible, it would be late, and the bulk has no time to keep. The backlog's share makes
    sure that it is served at all.
    """
    return turn % BACKLOG_EVERY == BACKLOG_EVERY - 1


def order_fairly(due: Iterable[DueProfile], served: Mapping[str, float]) -> list[DueProfile]:
    """The profile that was served longest ago goes first; of equal ones, the earliest due.

    `served`: when each profile had its last turn, on any clock that only goes forward. So ten
    thousand posts of one profile delay another profile's single post by one turn at most.
    """
    return sorted(due, key=lambda profile: (served.get(profile.profile_id, 0.0), profile.due_at))
