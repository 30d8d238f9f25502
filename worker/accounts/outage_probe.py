"""Outage probe: while accounts wait because their Postiz does not answer, checks if it is back.

The waiting time grows up to five minutes, but an outage is often shorter. So every few seconds one
account of a server makes a cheap read; if it succeeds, the next account follows soon. Before the
first write, the account is read again (health_probe.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Executable, Select, exists, func, not_, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from shared.accounts import holds
from shared.db import Database
from shared.errors import PressroomError
from shared.models import Account, Profile, Server
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import leases, postiz_call
from worker.accounts.defects import for_account
from worker.accounts.eligibility import is_rested
from worker.accounts.error_policy import RetryLater, decide_action
from worker.runtime import Runtime

#: Time between two probes of a server: after a failed one, and after a successful one.
PAUSE, NEXT_ACCOUNT = leases.PROBE_INTERVAL, timedelta(seconds=0.2)


def find_due_accounts(session: Session) -> Sequence[int]:
    """For each server the account that was probed longest ago."""
    return session.scalars(due_accounts_query()).all()


def due_accounts_query() -> Select[int]:
    with_key = exists().where(*holds.has_usable_key(Account.id))
    is_time = or_(Server.probe_at.is_(None), Server.probe_at <= func.now())
    return (
        select(Account.id)
        .outerjoin(Server, Server.server == Account.server)
        .where(Account.probe_at <= func.now(), not_(is_rested()), is_time)
        .where(with_key.correlate(Account))
        .ext(distinct_on(Account.server))
        .order_by(Account.server, Account.probe_at, Account.id)
    )


@for_account("look")
def probe_account(runtime: Runtime, account_id: int) -> None:
    """Read from an account that waits after failures; the wait ends if the read succeeds."""
    if not _claim_probe(runtime.database, account_id):
        return
    with runtime.database.transaction() as session:
        profile = session.scalar(
            select(Profile)
            .where(*holds.has_usable_key(account_id))
            .order_by(func.random())
            .limit(1)
        )
        if profile is None:
            return
        credentials = CredentialRef.from_profile(profile, account_id)
    try:
        postiz_call.make_call(runtime, credentials, lambda postiz: postiz.connected())
    except PressroomError as error:
        if not isinstance(decide_action(error), RetryLater):  # refused or held: a new state
            postiz_call.record_failure(runtime, credentials, error)
        return
    _end_rest(runtime.database, account_id)


def _claim_probe(database: Database, account_id: int) -> bool:
    """Whether the probe is still due: only one at a time per server."""
    pause = {"probe_at": func.now() + PAUSE}
    with database.statements() as connection:
        server = connection.scalar(select(Account.server).where(Account.id == account_id))
        if connection.scalar(_claim_server_query(server, pause)) is None:
            return False
        connection.execute(update(Account).where(Account.id == account_id).values(pause))
        return True


def _claim_server_query(
    server: str | None, pause: Mapping[str, ColumnElement[datetime]]
) -> Executable:
    return (
        insert(Server)
        .values(server=server, next_write_at=func.now(), **pause)
        .on_conflict_do_update(
            index_elements=["server"],
            set_=pause,
            where=or_(Server.probe_at.is_(None), Server.probe_at <= func.now()),
        )
        .returning(Server.server)
    )


def _end_rest(database: Database, account_id: int) -> None:
    """The count of failures is kept: if a write fails now, the account waits as long as before."""
    end_rest = update(Account).where(Account.id == account_id).returning(Account.server)
    with database.statements() as connection:
        server = connection.scalar(end_rest.values(retry_at=func.now(), probe_at=None))
        probe_soon = update(Server).where(Server.server == server)
        connection.execute(probe_soon.values(probe_at=func.now() + NEXT_ACCOUNT))
