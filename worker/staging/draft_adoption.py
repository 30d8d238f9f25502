"""Adopt: keep what a call of unknown end created, and stage anew only what is missing.

The call's own millisecond shows it. Until that was looked at its posts stay `staging`, and the row
of the call is the claim to them: whoever goes on finds it `unclear`, under a lock, or stops. Once
nobody waits for the call any more it is `abandoned`; what it creates then, or created twice, is
litter (orphan_drafts.py). So nothing is ever adopted that may be deleted, nor the other way round.

An element is created by one write, with its content, settings and media (docs/POSTIZ.md, "Creating
posts"): a draft that is there is whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.orm import Session

from shared.accounts import holds
from shared.db import ROW_LOCK
from shared.domain.publishing import draft_matching
from shared.domain.publishing.fingerprint import fingerprint
from shared.domain.publishing.reconciliation import DRAFT
from shared.domain.publishing.restore_matching import Theirs
from shared.domain.publishing.staging_attempts import UNCLEAR
from shared.domain.publishing.states import PostState
from shared.errors import PressroomError
from shared.models import Account, Handover, Post, Profile, Submission
from shared.postiz.client import RemotePost
from shared.posts import transitions
from worker.accounts import leases, postiz_call, rate_limiter
from worker.accounts.defects import is_defect, translated
from worker.accounts.error_policy import is_about_one
from worker.runtime import Runtime
from worker.staging.staged_drafts import keep_drafts, of_post, put_back_counted

AT_ONCE = 20
#: A look that came to nothing is made again after so long, and the account's rest.
AGAIN = timedelta(seconds=5)
#: One that failed as nobody foresaw.
LATER = timedelta(minutes=5)
#: A window that cannot be looked at is tried for so long; nothing can be staged then either.
TRY_FOR = timedelta(hours=24)
FOUND = "found in Postiz, though the reply was lost"


@dataclass(frozen=True, kw_only=True)
class Unclear:
    """A call of unknown end, and with whose key its window is read."""

    submission_id: int
    account_id: int
    profile_id: str
    version: int
    key_hash: str | None
    marker_at: datetime


def begin(
    session: Session, runtime: Runtime, submission: Submission, error: PressroomError
) -> None:
    """Its call ended unclear; after an answer of Postiz's own it creates nothing more."""
    now = rate_limiter.clock(session)
    wait = timedelta(seconds=runtime.settings.unknown_release_seconds)
    if is_about_one(error):
        look_for(session, [submission.id], error.message, look_at=now, may_run_until=now)
    else:
        look_at = now + min(draft_matching.FIRST_LOOK, wait)
        until = submission.sent_at + wait
        look_for(session, [submission.id], error.message, look_at=look_at, may_run_until=until)


def look_for(
    session: Session,
    ids: Sequence[int],
    detail: str,
    *,
    look_at: datetime | ColumnElement[datetime],
    may_run_until: datetime | ColumnElement[datetime],
) -> None:
    values = {
        "state": "unclear",
        "detail": detail,
        "look_at": look_at,
        "may_run_until": may_run_until,
    }
    session.execute(update(Submission).where(Submission.id.in_(ids)).values(values))
    waiting = Post.submission_id.in_(ids), Post.state == PostState.STAGING
    # nobody works on them any more: what is taken back now need not wait
    free = update(Post).where(*waiting).values(lease_until=func.now()).returning(Post.id)
    found = session.scalars(free, execution_options={"synchronize_session": False}).all()
    transitions.add_events(session, found, "staging_unknown", detail)


def adopt(runtime: Runtime, account_id: int) -> None:
    """Look at the account's windows that are due."""
    for call in _claim(runtime, account_id):
        try:
            with translated("adopt", sent=False):
                _look(runtime, call)
        except PressroomError as error:
            _not_looked_at(runtime, call, error)
            if not is_defect(error):
                return


def _look(runtime: Runtime, call: Unclear) -> None:
    rows = postiz_call.call(
        runtime,
        call.profile_id,
        call.version,
        call.account_id,
        lambda postiz: postiz.window(call.marker_at, call.marker_at),
    )
    with runtime.database.transaction() as session:
        leases.answered(session, call.account_id)
        _keep(session, runtime, call, rows)
    runtime.waker.release()


def due(session: Session) -> Sequence[int]:
    """The accounts with such a window to look at."""
    windows = exists().where(Submission.account_id == Account.id, *_is_due()).correlate(Account)
    return session.scalars(select(Account.id).where(leases.rested(), windows)).all()


def _is_due() -> tuple[ColumnElement[bool], ...]:
    """Windows to look at, joined with the profile that made the call, whose key may be used."""
    return (
        Submission.state == "unclear",
        Submission.look_at <= func.now(),
        Profile.id == Submission.profile_id,
        Profile.account_id == Submission.account_id,
        ~holds.is_held(),
    )


def _claim(runtime: Runtime, account_id: int) -> list[Unclear]:
    """Left to us for a lease: a look that nobody ends is made anew."""
    lease = timedelta(seconds=runtime.settings.lease_seconds)
    with runtime.database.transaction() as session:
        rows = session.execute(
            select(Submission, Profile)
            .join(Account, Account.id == Submission.account_id)
            .where(Submission.account_id == account_id, leases.rested(), *_is_due())
            .order_by(Submission.look_at)
            .limit(AT_ONCE)
            .with_for_update(of=Submission, key_share=True, skip_locked=True)
        ).all()
        for submission, _ in rows:
            submission.look_at = rate_limiter.clock(session) + lease
        return [
            Unclear(
                submission_id=submission.id,
                account_id=account_id,
                profile_id=profile.id,
                version=profile.settings_version,
                key_hash=profile.key_hash,
                marker_at=submission.marker_at,
            )
            for submission, profile in rows
        ]


def _not_looked_at(runtime: Runtime, call: Unclear, error: PressroomError) -> None:
    """It is looked at again; what is wrong with this window alone rests nobody."""
    pause = LATER if is_defect(error) else AGAIN
    with runtime.database.transaction() as session:
        if not is_defect(error):
            leases.went_wrong(session, call.account_id, error, key_hash=call.key_hash)
        row = update(Submission).where(Submission.id == call.submission_id)
        session.execute(row.values(look_at=func.now() + pause))


def _keep(session: Session, runtime: Runtime, call: Unclear, rows: Sequence[RemotePost]) -> None:
    """Adopt what is there, put back what is not and cannot wait, and look again for the rest."""
    query = select(Submission).where(
        Submission.id == call.submission_id, Submission.state == "unclear"
    )
    submission = session.scalars(query.with_for_update(key_share=True)).one_or_none()
    if submission is None:
        return  # somebody else has ended it
    waiting = lock_waiting(session, submission.id)
    found = _adopted(session, runtime, submission, waiting, _unknown(session, call, rows))
    now, until = rate_limiter.clock(session), submission.may_run_until
    missing = [post for post in waiting if post.id not in found]
    patient = [
        post.id
        for post in missing
        if until is not None and draft_matching.waits(post.publish_at, now, may_run_until=until)
    ]
    again = [post for post in missing if post.id not in patient]
    put_back_unclear(session, submission, again, "it is not in Postiz")
    if patient and until is not None:
        submission.look_at = draft_matching.next_look(now, submission.sent_at, may_run_until=until)
    else:
        abandon(session, [submission.id])


def lock_waiting(session: Session, submission_id: int) -> Sequence[Post]:
    """The posts of a call that have no draft yet, the earliest due first."""
    return session.scalars(
        select(Post)
        .where(Post.submission_id == submission_id, Post.state == PostState.STAGING)
        .order_by(Post.publish_at, Post.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()


def _unknown(session: Session, call: Unclear, rows: Sequence[RemotePost]) -> list[RemotePost]:
    """What we never had an id of, in an order that stays; what is no draft any more first."""
    ids = [row.id for row in rows]
    query = select(Handover.postiz_id).where(
        Handover.account_id == call.account_id, Handover.postiz_id.in_(ids)
    )
    known = set(session.scalars(query))
    return sorted(
        (row for row in rows if row.id not in known), key=lambda row: (row.state == DRAFT, row.id)
    )


def _adopted(
    session: Session,
    runtime: Runtime,
    submission: Submission,
    waiting: Sequence[Post],
    rows: Sequence[RemotePost],
) -> dict[int, str]:
    """The posts that Postiz has, by their ids there, as if its reply had told them."""
    theirs = [
        Theirs(
            postiz_id=row.id,
            look=fingerprint(row.integration_id, row.content),
            publish_at=row.publish_at,
        )
        for row in rows
    ]
    matched = draft_matching.match(
        [of_post(post) for post in waiting], theirs, submission.adoptable
    )
    found = {post_id: there.postiz_id for post_id, there in matched.items()}
    if not found:
        return found
    submission.replied_at = func.clock_timestamp()
    account = session.get_one(
        Account, submission.account_id, with_for_update=ROW_LOCK, populate_existing=True
    )
    keep_drafts(
        session,
        account,
        submission,
        found,
        list(found),
        detail=FOUND,
        settle_seconds=runtime.settings.settle_seconds,
        as_draft=waiting[0].as_draft,
    )
    drafts = {row.id for row in rows if row.state == DRAFT}
    if not waiting[0].as_draft:
        _handed_over(session, [post_id for post_id, name in found.items() if name not in drafts])
    return found


def _handed_over(session: Session, ids: Sequence[int]) -> None:
    """Somebody has released these in Postiz already: we never do, and only follow them."""
    released = {"released_at": func.clock_timestamp()}
    alive = Handover.post_id.in_(ids), Handover.buried_at.is_(None)
    session.execute(update(Handover).where(*alive).values(state="releasing", **released))
    transitions.move(
        session,
        ids,
        PostState.STAGED,
        PostState.RELEASING,
        event="releasing",
        detail="released in Postiz by somebody else",
        values={"lease_until": func.now(), **released},
    )


def put_back_unclear(
    session: Session, submission: Submission, rows: Sequence[Post], detail: str
) -> None:
    """Have these posts of a call of unknown end staged anew."""
    put_back_counted(
        session,
        rows,
        pack=submission.elements,
        event="staging_undone",
        detail=detail,
        patience=UNCLEAR,
    )


def abandon(session: Session, ids: Sequence[int]) -> None:
    """Nobody waits for these calls any more: from here on what they leave is litter."""
    values = {"state": "abandoned", "look_at": None, "litter_at": func.now()}
    session.execute(update(Submission).where(Submission.id.in_(ids)).values(values))
