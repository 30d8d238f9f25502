"""Whose turn it is: fair among the profiles of a server, and earliest due first among the rest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Due:
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


def in_turn(due: Iterable[Due], served: Mapping[str, float]) -> list[Due]:
    """Who was served longest ago goes first, and then who is due earliest.

    `served`: when each profile had its last turn, on any clock that only goes forward. So ten
    thousand posts of one profile cost another's single post no more than one turn.
    """
    return sorted(due, key=lambda one: (served.get(one.profile_id, 0.0), one.due_at))
