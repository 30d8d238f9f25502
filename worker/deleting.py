"""Deletes a post in Postiz, at the pace that its server bears."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller

from sqlalchemy.orm import Session

from shared import failpoints
from shared.models import Account
from worker import calling, pace
from worker.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is to be deleted, and with whose key."""

    profile_id: str
    version: int
    account_id: int
    postiz_id: str


def delete(
    runtime: Runtime, target: Target, *, note: Callable[[Session], None] = lambda _: None
) -> bool:
    """Whether the delete was made and acknowledged; False where the pace left no room for it.

    `note` writes down that it will be made, and is committed before. Raises what the call raises.
    """
    with runtime.database.transaction() as session:
        server = session.get_one(Account, target.account_id).server
        slot = pace.take_slot(session, server, per_second=runtime.settings.writes_per_second)
        asked_at = pace.clock(session)
        if slot is not None:
            note(session)
    if slot is None:
        return False
    pace.wait_for(asked_at, slot)
    failpoints.hit("delete.before_call")
    make = methodcaller("delete", target.postiz_id)
    calling.call(runtime, target.profile_id, target.version, target.account_id, make)
    failpoints.hit("delete.after_call")
    return True
