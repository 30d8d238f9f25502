"""Whose turn it is: fair among the profiles of a server, then the earliest due first.

Within a profile, and within the calls of an account, posts with their own time go before a backlog.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class DueProfile:
    """A profile whose earliest staged post may be released since `due_at`.

    `waited`: seconds for which it could have been released already, with its server free. `sound`:
    whether its account's last call was answered correctly. `suspect`: whether it, or its whole
    server, may hang. `writes`: how many writes its server allows now.
    """

    profile_id: str
    account_id: int
    server: str
    due_at: datetime
    waited: float = 0.0
    sound: bool = True
    suspect: bool = False
    writes: int = 1


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


def share_turns(due: Sequence[DueProfile], room: Mapping[str, int]) -> dict[str, int]:
    """How many posts each profile may release now; those without a turn are left out.

    `room`: how many releases each server has room for. Its profiles get equal shares of that, and
    the first ones of `due` what remains.
    """
    by_server: dict[str, list[DueProfile]] = defaultdict(list)
    for profile in due:
        by_server[profile.server].append(profile)
    turns: dict[str, int] = {}
    for server, profiles in by_server.items():
        each, rest = divmod(room.get(server, 0), len(profiles))
        for number, profile in enumerate(profiles):
            turns[profile.profile_id] = each + (number < rest)
    return {profile_id: count for profile_id, count in turns.items() if count > 0}


def take_turns(near: Sequence[T], earliest: Sequence[T], *, first: int, count: int) -> list[T]:
    """The posts for `count` turns of a profile, in their order; its turns are counted from 0.

    `near`: posts whose own time is near. `earliest`: the posts that are due for longest, whichever
    they are; a post may be in both.
    """
    taken: list[T] = []
    for turn in range(first, first + count):
        order = [*earliest, *near] if is_backlog_turn(turn) else [*near, *earliest]
        post = next((post for post in order if post not in taken), None)
        if post is None:
            break
        taken.append(post)
    return taken


def interleave(queues: Iterable[Sequence[T]]) -> list[T]:
    """The first of each queue, then the second of each, and so on."""
    rounds = zip_longest(*([(item,) for item in queue] for queue in queues), fillvalue=())
    return [item for each_round in rounds for present in each_round for item in present]
