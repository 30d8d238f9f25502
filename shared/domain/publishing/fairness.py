"""Whose turn it is: fair among the profiles of a server, and earliest due first among the rest.

Within a profile, or the calls of an account, posts with a time of their own go before a backlog.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class DueProfile:
    """A profile whose earliest staged post may be released since `due_at`.

    `waited`: for how many seconds it could have been released already, its server being free.
    `sound`: whether its account's last call was answered as it should be. `suspect`: whether it, or
    its whole server, may hang.
    """

    profile_id: str
    account_id: int
    server: str
    due_at: datetime
    waited: float = 0.0
    sound: bool = True
    suspect: bool = False


#: Of so many turns one is the backlog's, whatever else is due.
BACKLOG_EVERY = 4


def is_backlog_turn(turn: int) -> bool:
    """Whether the backlog goes first in this turn of a profile or account; they count from 0.

    In all others a post goes first whose own time is near: behind a bulk that is to go out at once
    it would be late, and the bulk has no time to keep. Its share keeps a backlog from starving.
    """
    return turn % BACKLOG_EVERY == BACKLOG_EVERY - 1


def order_fairly(due: Iterable[DueProfile], served: Mapping[str, float]) -> list[DueProfile]:
    """Who was served longest ago goes first, and then who is due earliest.

    `served`: when each profile had its last turn, on any clock that only goes forward. So ten
    thousand posts of one profile cost another's single post no more than one turn.
    """
    return sorted(due, key=lambda profile: (served.get(profile.profile_id, 0.0), profile.due_at))
