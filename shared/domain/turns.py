"""Whose turn it is: fair among the profiles of a server, and earliest due first among the rest."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain


@dataclass(frozen=True, kw_only=True)
class Due:
    """A profile whose earliest staged post may be released since `due_at`.

    `sound`: whether its account's last call was answered as it should be. `suspect`: whether it, or
    its whole server, may hang.
    """

    profile_id: str
    account_id: int
    server: str
    due_at: datetime
    sound: bool = True
    suspect: bool = False


def in_turn(due: Iterable[Due], served: Mapping[str, float], *, each: int = 1) -> list[Due]:
    """For each server the `each` profiles that were served longest ago, then the earliest due.

    `served`: when each profile had its last turn, on any clock that only goes forward. So ten
    thousand posts of one profile cost another's single post no more than one turn.
    """
    first: dict[str, list[Due]] = defaultdict(list)
    for one in sorted(due, key=lambda one: (served.get(one.profile_id, 0.0), one.due_at)):
        if len(first[one.server]) < each:
            first[one.server].append(one)
    return sorted(chain(*first.values()), key=lambda one: one.due_at)
