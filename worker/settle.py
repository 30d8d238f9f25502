"""`python -m worker.settle`: the restore check. Run it after an older backup was restored, before
anything is sent.

First all accounts are paused. Then each account's Postiz is read and compared with the database
(worker/publishing/restore_account.py), and the pause ends; an account that cannot be read stays
paused. The command may be run again at any time, and continues where it stopped.

Posts are compared by content, channel and date, because Postiz shows nothing else. Posts that match
but may differ in their media are left to a person as `outcome_unknown`. Fire times of schedules
that may have run are recorded as missed, and calls that are not in the backup are charged to the
budget of this hour.
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

#: How far before the backup's newest row to read Postiz: a draft's date is up to half a day earlier
#: than its creation, and running calls were not in the database yet.
BEFORE = timedelta(hours=14)
STEP = timedelta(days=1)

log = get_logger("settle")


def check_restored_accounts(
    runtime: Runtime, *, patience: float
) -> dict[int, restore_account.Outcome | str]:
    """Check every account; returns its outcome, or the reason why it stays paused.

    `patience`: seconds that requests sent before the restore may still run inside Postiz.
    """
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
    """An error with one account does not stop the check of the others."""
    with contain_failures("settle_account", account=account_id):
        return _check_account(runtime, account_id, began_at)
    return "something went wrong on our side: see the log"


def set_restore_lock(database: Database) -> None:
    """Pause every account, and save which ones were paused before."""
    with database.transaction() as session:
        unlocked = update(Account).where(Account.settle_pause.is_(None))
        session.execute(unlocked.values(settle_pause=Account.paused, paused=True, lease_until=None))


def _last_sign_of_life(session: Session) -> datetime:
    """When the backup was made: the newest time in it."""
    moments = [
        session.scalar(select(func.max(column)))
        for column in (Pulse.seen_at, Submission.sent_at, Submission.replied_at, Event.at)
    ]
    now = db.read_clock(session)
    return min(max((moment for moment in moments if moment), default=now), now)


def _check_account(
    runtime: Runtime, account_id: int, began_at: datetime
) -> restore_account.Outcome | str:
    """Compare one account with its Postiz and end its pause; both in one transaction."""
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
    """The dates with which Postiz should list the known posts that are not final."""
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
    """All posts in Postiz since `began_at`, in 2099, and at known earlier dates."""
    windows = []
    start = began_at
    while start < end:
        windows.append((start, start + STEP))
        start += STEP
    windows.append((park.FIRST_PARKING_DATE, park.FIRST_PARKING_DATE + timedelta(days=366)))
    windows += [(marker, marker) for marker in markers if not began_at <= marker <= end]
    return {row.id: row for window in windows for row in postiz.window(*window)}


def _count_other_connections(database: Database) -> int:
    """Connections of other Pressroom processes, which must be stopped during the check."""
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
