"""`python -m worker.settle`: after an older backup was restored, before anything is sent.

Everything is held first. Each account's Postiz is then read and compared with what the database
says (worker/publishing/restore_account.py), and the account let go; one that cannot be read stays
held. It may be run again at any time, and goes on where it stopped.

Posts are compared by content, channel and date, since Postiz shows no more of them. What looks
alike but differs in its media is left to a person as `outcome_unknown`. Fire times of schedules
that may have run are recorded as missed, and calls that the backup does not know are charged to
this hour's budget.
"""

import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.orm import Session

from shared import db
from shared.config import read_settings
from shared.containment import contain_failures
from shared.crypto import SecretBox
from shared.db import Database
from shared.domain.publishing.planner import CALENDAR_AHEAD
from shared.errors import PressroomError
from shared.log import configure_logging, get_logger
from shared.models import Account, Event, Handover, Profile, Pulse, Submission
from shared.postiz.client import Postiz, RemotePost
from shared.posts import handovers
from shared.profiles.credential_ref import CredentialRef
from shared.profiles.publisher_cache import PublisherFactory, Publishers
from shared.storage.factory import open_storage
from shared.task_queue import Waker, make_sender
from worker.accounts import postiz_call
from worker.publishing import park, restore_account
from worker.runtime import Runtime
from worker.schedules import fire
from worker.staging import lost_calls

#: Before its last sign of life the database may have lacked what was under way; a draft's date
#: lies up to half a day back.
BEFORE = timedelta(hours=14)
STEP = timedelta(days=1)

log = get_logger("settle")


def check_restored_accounts(
    runtime: Runtime, *, patience: float
) -> dict[int, restore_account.Outcome | str]:
    """Settle every account; the reason for each that stays held. `patience`: seconds that what
    was sent before the restore may still take inside Postiz."""
    set_restore_lock(runtime.database)
    time.sleep(patience)
    with runtime.database.transaction() as session:
        began_at = _last_sign_of_life(session) - BEFORE
        while lost_calls.rescue_calls(session, -1, wait_seconds=0):
            continue
        while lost_calls.give_up_calls(session, all_of_them=True):
            continue
        fire.skip_due_fire_times(session)
    with runtime.database.transaction() as session:
        locked_ids = session.scalars(
            select(Account.id).where(Account.settle_pause.is_not(None))
        ).all()
    return {
        account_id: _try_account_check(runtime, account_id, began_at)
        for account_id in sorted(locked_ids)
    }


def _try_account_check(
    runtime: Runtime, account_id: int, began_at: datetime
) -> restore_account.Outcome | str:
    """Whatever one account meets, the others are settled."""
    with contain_failures("settle_account", account=account_id):
        return _check_account(runtime, account_id, began_at)
    return "something went wrong on our side: see the log"


def set_restore_lock(database: Database) -> None:
    """Pause every account, and remember which were paused already."""
    with database.transaction() as session:
        unlocked = update(Account).where(Account.settle_pause.is_(None))
        session.execute(unlocked.values(settle_pause=Account.paused, paused=True, lease_until=None))


def _last_sign_of_life(session: Session) -> datetime:
    """When the backup was made, by the newest moment in it."""
    moments = [
        session.scalar(select(func.max(column)))
        for column in (Pulse.seen_at, Submission.sent_at, Submission.replied_at, Event.at)
    ]
    now = db.read_clock(session)
    return min(max((moment for moment in moments if moment), default=now), now)


def _check_account(
    runtime: Runtime, account_id: int, began_at: datetime
) -> restore_account.Outcome | str:
    """Compare one account with its Postiz, and let it go: in one transaction, or not at all."""
    with runtime.database.transaction() as session:
        profiles = session.scalars(select(Profile).where(Profile.account_id == account_id))
        refs = [CredentialRef.from_profile(profile, account_id) for profile in profiles]
        markers = list(_expected_markers(session, account_id))
        end = db.read_clock(session) + CALENDAR_AHEAD + STEP
    reason = "no profile has a key for it"
    for credentials in refs:
        try:
            posts_in_postiz = postiz_call.make_call(
                runtime,
                credentials,
                lambda postiz: _read_calendar(postiz, began_at, end, markers),
            )
        except PressroomError as error:
            reason = error.message
            continue
        return restore_account.record_findings(
            runtime.database, account_id, credentials.profile_id, posts_in_postiz
        )
    return reason


def _expected_markers(session: Session, account_id: int) -> Iterator[datetime]:
    """The dates under which what we know of, and what may not be final, should stand."""
    alive = select(Handover.marker_at, Handover.parked_at).where(
        Handover.account_id == account_id,
        handovers.is_alive(),
        or_(*restore_account.open_posts_condition(account_id)),
    )
    for marker_at, parked_at in session.execute(alive.distinct()):
        yield marker_at
        if parked_at:
            yield parked_at


def _read_calendar(
    postiz: Postiz, began_at: datetime, end: datetime, markers: list[datetime]
) -> dict[str, RemotePost]:
    """All that Postiz has since then, in its calendar, in 2099, and where we put it before."""
    windows = []
    start = began_at
    while start < end:
        windows.append((start, start + STEP))
        start += STEP
    windows.append((park.FAR, park.FAR + timedelta(days=366)))
    windows += [(marker, marker) for marker in markers if not began_at <= marker <= end]
    return {row.id: row for window in windows for row in postiz.window(*window)}


def _count_other_connections(database: Database) -> int:
    """Connections of other processes of ours: none may send anything meanwhile."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'pressroom' AND pid <> pg_backend_pid()"
    )
    with database.transaction() as session:
        return int(session.scalars(query).one())


def main() -> int:
    settings = read_settings()
    configure_logging(settings.log_format)
    database = Database.connect(settings, pool_size=1)
    if connections := _count_other_connections(database):
        log.error("stop web, workers and beat first", connections=connections)
        database.close()
        return 2
    runtime = Runtime(
        settings=settings,
        database=database,
        publishers=Publishers(
            PublisherFactory(database, settings, SecretBox.from_settings(settings))
        ),
        storage=open_storage(settings.media_url),
        waker=Waker(make_sender(settings.redis_url.get_secret_value())),
    )
    log.info("everything is held", seconds_until_it_is_read=settings.unknown_release_seconds)
    outcomes = check_restored_accounts(runtime, patience=settings.unknown_release_seconds)
    for account_id, outcome in outcomes.items():
        if isinstance(outcome, str):
            log.error("an account stays held", account=account_id, reason=outcome)
        else:
            log.info("an account was settled and let go", account=account_id, **vars(outcome))
    runtime.close()
    return 1 if any(isinstance(outcome, str) for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
