"""Restore check of one account: records posts that are in Postiz but not in the older backup."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from shared import db
from shared.db import Database
from shared.domain.publishing.fingerprint import compute_fingerprint
from shared.domain.publishing.reconciliation import DRAFT
from shared.domain.publishing.restore_matching import FoundInPostiz, Theirs, match_posts
from shared.domain.publishing.states import PostState
from shared.models import Account, Handover, Post, Submission
from shared.postiz.client import RemotePost
from shared.posts import handovers, transitions
from worker.publishing import unknown_outcomes
from worker.publishing.park import is_parking_date
from worker.staging.staged_drafts import draft_signature

#: The states through which a post becomes scheduled, in order.
STATE_PATH = (
    PostState.PENDING,
    PostState.STAGING,
    PostState.STAGED,
    PostState.RELEASING,
    PostState.SCHEDULED,
)
#: States of posts that are not in Postiz until a person says so.
_LEFT_TO_PERSON = (PostState.HELD, PostState.WAITING_APPROVAL)
NOT_IN_BACKUP = "found in Postiz after an older backup was restored"
WINDOW = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Numbers of posts `found` in Postiz, of `unclear` ones, and of orphan drafts (`litter`)."""

    found: int
    unclear: int
    litter: int


def open_posts_condition(account_id: int) -> list[ColumnElement[bool]]:
    """Handovers of posts that would be sent, or sent again by a retry."""
    states = (PostState.PENDING, PostState.STAGED, PostState.RELEASING, PostState.FAILED)
    own = Post.account_id == account_id, Post.state.in_(states)
    return [Handover.post_id.in_(select(Post.id).where(*own))]


def record_findings(
    database: Database, account_id: int, profile_id: str, remote: Mapping[str, RemotePost]
) -> Outcome:
    """Record all findings and end the account's pause, in one transaction."""
    with database.transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=True)
        comparison = _AccountComparison(session, account, profile_id, remote)
        outcome = comparison.record_differences()
        account.paused, account.settle_pause = bool(account.settle_pause), None
        return outcome


class _AccountComparison:
    """Compares one account with its Postiz."""

    def __init__(
        self,
        session: Session,
        account: Account,
        profile_id: str,
        remote: Mapping[str, RemotePost],
    ) -> None:
        self._session = session
        self._now = db.read_clock(session)
        self._account = account
        self._profile_id = profile_id
        self._remote = remote
        known = self._known_ids()
        self._unknown_rows = [row for row in remote.values() if row.id not in known]

    def record_differences(self) -> Outcome:
        found = self._record_released()
        sendable = self._posts_in(PostState.PENDING, *_LEFT_TO_PERSON) + self._vanished_posts()
        verdicts = match_posts(
            [draft_signature(post) for post in sendable], self._unknown_remote_posts()
        )
        unclear = 0
        for post in sendable:
            verdict = verdicts.get(post.id)
            if verdict is not None and post.state in _LEFT_TO_PERSON:
                # a person has released or approved it since
                self._move_post(post, PostState.PENDING, {"approved_revision": Post.revision})
            if isinstance(verdict, FoundInPostiz) and not is_parking_date(
                verdict.theirs.publish_at
            ):
                self._adopt_remote_post(post, verdict.theirs)
                found += 1
            elif verdict is not None:
                theirs = verdict.theirs if isinstance(verdict, FoundInPostiz) else verdict.like
                self._mark_unclear(post, theirs.publish_at)
                unclear += 1
            elif post.state not in (PostState.PENDING, *_LEFT_TO_PERSON):
                self._mark_unclear(post, None)
                unclear += 1
        self._guard_failed_posts()
        self._charge_budget()
        return Outcome(found=found, unclear=unclear, litter=self._mark_orphan_drafts())

    def _posts_in(self, *states: PostState) -> list[Post]:
        query = select(Post).where(Post.account_id == self._account.id, Post.state.in_(states))
        return list(self._session.scalars(query.order_by(Post.publish_at, Post.id)))

    def _posts_with_handover(self, states: Sequence[PostState]) -> list[tuple[Post, Handover]]:
        query = (
            select(Post, Handover)
            .join(Handover, handovers.is_alive_of_post())
            .where(Post.account_id == self._account.id, Post.state.in_(states))
        )
        return [(post, handover) for post, handover in self._session.execute(query)]

    def _record_released(self) -> int:
        """Drafts released after the backup; returns how many. Parked ones start again."""
        count = 0
        for post, handover in self._posts_with_handover([PostState.STAGED]):
            row = self._remote.get(handover.postiz_id)
            if row is None:
                continue
            if row.state == DRAFT and is_parking_date(row.publish_at):
                transitions.retire_handovers(self._session, [post.id], NOT_IN_BACKUP, discard=True)
                self._move_post(post, PostState.PENDING, transitions.NOT_IN_POSTIZ)
            elif row.state != DRAFT:
                handover.released_at, handover.state = self._now, "releasing"
                self._advance_to_scheduled(post, {"released_at": self._now})
                count += 1
        return count

    def _vanished_posts(self) -> list[Post]:
        """Posts whose id Postiz no longer lists: staged again after the backup, or deleted."""
        alive = self._posts_with_handover([PostState.STAGED, PostState.RELEASING])
        return [post for post, handover in alive if handover.postiz_id not in self._remote]

    def _guard_failed_posts(self) -> None:
        """Failed posts may have been retried since: a retry then requires a confirmation."""
        released = {
            post.id
            for post, handover in self._posts_with_handover([PostState.FAILED])
            if handover.released_at
        }
        failed = {
            post.id: post for post in self._posts_in(PostState.FAILED) if post.id not in released
        }
        known = self._known_ids()
        theirs = [
            remote for remote in self._unknown_remote_posts() if remote.postiz_id not in known
        ]
        for post_id, verdict in match_posts(map(draft_signature, failed.values()), theirs).items():
            is_certain = isinstance(verdict, FoundInPostiz)
            counterpart = verdict.theirs if isinstance(verdict, FoundInPostiz) else verdict.like
            postiz_id = counterpart.postiz_id if is_certain else f"forgotten-{post_id}"
            values = self._add_handover(failed[post_id], postiz_id, counterpart.publish_at)
            post_update = update(Post).where(Post.id == post_id)
            self._session.execute(post_update.values({**values, "track_at": self._now}))

    def _known_ids(self) -> Collection[str]:
        query = select(Handover.postiz_id).where(Handover.account_id == self._account.id)
        return set(self._session.scalars(query))

    def _unknown_remote_posts(self) -> list[Theirs]:
        return [
            Theirs(
                postiz_id=row.id, fingerprint=_remote_fingerprint(row), publish_at=row.publish_at
            )
            for row in self._unknown_rows
            if row.state != DRAFT
        ]

    def _adopt_remote_post(self, post: Post, theirs: Theirs) -> None:
        """Postiz has the post under an id that is not in the backup."""
        values = self._add_handover(post, theirs.postiz_id, theirs.publish_at)
        self._advance_to_scheduled(post, values)

    def _add_handover(self, post: Post, postiz_id: str, marker_at: datetime) -> dict[str, object]:
        transitions.retire_handovers(self._session, [post.id], NOT_IN_BACKUP, discard=False)
        submission = self._ensure_submission(marker_at)
        self._session.add(
            Handover(
                post_id=post.id,
                account_id=self._account.id,
                submission_id=submission.id,
                postiz_id=postiz_id,
                marker_at=marker_at,
                state="releasing",
                released_at=self._now,
            )
        )
        self._session.flush()
        return {
            "submission_id": submission.id,
            "postiz_post_id": postiz_id,
            "released_at": self._now,
        }

    def _mark_unclear(self, post: Post, like: datetime | None) -> None:
        """Leave the post to a person; a retry requires a confirmation that it was not published."""
        if post.state == PostState.PENDING and like is not None:
            self._add_handover(post, f"forgotten-{post.id}", like)
        handovers.update_alive(self._session, [post.id], released_at=self._now)
        unknown_outcomes.leave_to_person(
            self._session,
            [post.id],
            PostState(post.state),
            "A backup was restored that is older than what became of this post.",
        )

    def _ensure_submission(self, marker_at: datetime) -> Submission:
        """The call with this marker; recorded again if it is not in the backup."""
        query = select(Submission).where(
            Submission.account_id == self._account.id, Submission.marker_at == marker_at
        )
        found = self._session.scalars(query).first()
        if found is None:
            found = Submission(
                account_id=self._account.id,
                profile_id=self._profile_id,
                server=self._account.server,
                marker_at=marker_at,
                elements=0,
                state="staged",
                replied_at=self._now,
                detail=NOT_IN_BACKUP,
            )
            self._session.add(found)
            self._session.flush()
        return found

    def _advance_to_scheduled(self, post: Post, values: Mapping[str, object]) -> None:
        """Move the post through all states up to scheduled."""
        for state in STATE_PATH[STATE_PATH.index(PostState(post.state)) + 1 :]:
            last = state is PostState.SCHEDULED
            self._move_post(post, state, {**values, "track_at": self._now} if last else {})

    def _move_post(self, post: Post, state: PostState, values: Mapping[str, object]) -> None:
        source = PostState(post.state)
        transitions.move_posts(
            self._session,
            [post.id],
            source,
            state,
            event="found_in_postiz" if state is PostState.SCHEDULED else "restored",
            detail=NOT_IN_BACKUP,
            values=values,
        )
        self._session.refresh(post)

    def _own_fingerprints(self) -> Collection[str]:
        query = select(Post.integration_id, Post.content).where(Post.account_id == self._account.id)
        return {compute_fingerprint(*row) for row in self._session.execute(query)}

    def _mark_orphan_drafts(self) -> int:
        """Mark our drafts that are not in the backup for deletion; returns how many."""
        ours = self._own_fingerprints()
        drafts = [
            row
            for row in self._unknown_rows
            if row.state == DRAFT
            and row.publish_at.microsecond
            and _remote_fingerprint(row) in ours
        ]
        for row in drafts:
            submission = self._ensure_submission(row.publish_at)
            submission.sent = [*submission.sent, _remote_fingerprint(row)]
            submission.state, submission.litter_at = "abandoned", self._now
        return len(drafts)

    def _charge_budget(self) -> None:
        """Charge calls that are not in the backup to this hour: Postiz may have counted them."""
        calls = Counter(row.publish_at for row in self._unknown_rows if row.publish_at.microsecond)
        if not calls:
            return
        ends = self._account.window_ends_at
        alive = ends is not None and ends > self._now
        self._account.budget_used = (self._account.budget_used if alive else 0) + len(calls)
        self._account.window_ends_at = ends if alive else self._now + WINDOW


def _remote_fingerprint(row: RemotePost) -> str:
    return compute_fingerprint(row.integration_id, row.content)
