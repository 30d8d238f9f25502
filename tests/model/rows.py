"""A model of what we know: the committed rows of one post, and what each worker remembers."""

from datetime import timedelta
from typing import Any, NamedTuple

from shared.domain.publishing.states import PostState, check_transition
from tests.model.postiz import NO_CALL, Request

UNKNOWN_AFTER, GIVE_UP_AFTER = timedelta(seconds=90), timedelta(hours=2)
#: How old a release is: the moments between which nothing is decided differently.
AGES = (timedelta(0), UNKNOWN_AFTER, GIVE_UP_AFTER)


class Seen(NamedTuple):
    """What a look has shown: no state where Postiz lists no such post."""

    state: str = ""
    far: bool = False


#: The post's date has come, is less than two minutes away, or further.
DUE, NEAR, AHEAD = 0, 1, 2
LEFT = (timedelta(0), timedelta(minutes=1), timedelta(minutes=10))


class Row(NamedTuple):
    """The post and its living handover, as committed."""

    state: PostState = PostState.PENDING
    reason: str = ""
    leased: bool = False
    draft: int = -1  # which of the drafts is alive
    handover: str = ""
    age: int = 0  # of the release, as an index into AGES
    error_seen: bool = False
    overdue: bool = False  # tracking has called it so
    word: bool = False  # a person has said that it was not published
    watched: int = -1  # since it was then seen parked, as an index into AGES
    warned: bool = False  # it was cancelled, and may have been sent before
    tries: int = 0  # of what the handover says: moves, or deletes, that came to nothing
    revision: int = 1  # of the values that a draft is made of
    wanted: int = 1  # the last revision that a person was promised
    date: int = DUE  # where the post stands in Postiz's calendar
    asks: bool = False  # it goes out only as a person approved it
    approved: int = 0  # the last revision that we take for approved
    shown: int = 0  # the revision that a person who decides has before them
    blessed: frozenset[int] = frozenset()  # those that they had, whenever they approved

    def moved(self, target: PostState, **values: Any) -> "Row":
        """What becomes pending in a revision that nobody has approved goes on to wait."""
        check_transition(self.state, target)
        off = {"leased": False, "overdue": False}
        row = self._replace(**{"state": target, **off, **values})
        return row.asked() if target is PostState.PENDING else row

    def asked(self) -> "Row":
        if self.state is PostState.PENDING and self.asks and self.approved != self.wanted:
            return self.moved(PostState.WAITING_APPROVAL)
        return self


#: What a worker is at; the words complete "the worker that …".
IDLE = "is idle"
STAGING = "stages"
RELEASES = "may make its status change"
AWAITS_PUT = "awaits its status change"
LOOKS = "claimed a look"
HAS_LOOKED = "has looked"
MOVES = "may make its move to 2099"
AWAITS_UPDATE = "awaits its move to 2099"
DELETES = "may make its delete"
AWAITS_DELETE = "awaits its delete"


class Worker(NamedTuple):
    """One process, with what it remembers; a crash makes it an idle one."""

    doing: str = IDLE
    draft: int = -1
    holds: bool = False  # its claim is the one in the row
    known: str = ""  # the handover's state as it claimed, kept while it makes a move
    watched: int = -1  # and for how long the post had been watched
    seen: Seen = Seen()
    call: Request = NO_CALL  # the one that it awaits
