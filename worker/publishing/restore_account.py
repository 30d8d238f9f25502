"""Restore check of one account: records posts that are in Postiz but not in the older backup."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from shared import db
from shared.db import Database
from shared.domain.publishing.reconciliation import DRAFT
from shared.domain.publishing.restore_matching import FoundInPostiz, Theirs, match_posts
from shared.domain.publishing.states import PostState
from shared.models import Account, Handover, Post
from shared.postiz.client import RemotePost
from shared.posts import edits, handovers, transitions
from worker.publishing import unknown_outcomes
from worker.publishing.park import is_parking_date
from worker.staging import forgotten_calls
from worker.staging.forgotten_calls import NOT_IN_BACKUP, ForgottenCalls, remote_fingerprint
from worker.staging.staged_drafts import edited_signature

#: The states through which a post becomes scheduled, in order.
STATE_PATH = (
    PostState.PENDING,
    PostState.STAGING,
    PostState.STAGED,
    PostState.RELEASING,
    PostState.SCHEDULED,
)
#: States of posts that Postiz has, and that would be handed over again were they gone there.
_IN_POSTIZ = (PostState.STAGED, PostState.RELEASING, PostState.RESCHEDULING)
#: States of posts that are not in Postiz until a person says so.
_LEFT_TO_PERSON = (PostState.HELD, PostState.WAITING_APPROVAL)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Numbers of posts `found` in Postiz, of `unclear` ones, and of orphan drafts (`litter`)."""

    found: int
    unclear: int
    litter: int


def open_posts_condition(account_id: int) -> list[ColumnElement[bool]]:
    """Handovers of posts that would be sent, or sent again by a retry."""
    states = (*_IN_POSTIZ, PostState.PENDING, PostState.FAILED)
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
        self._forgotten = ForgottenCalls(session, account, profile_id, self._now)
        self._remote = remote
        known = self._known_ids()
        self._unknown_rows = [row for row in remote.values() if row.id not in known]

    def record_differences(self) -> Outcome:
        found = self._record_released()
        sendable = self._posts_in(PostState.PENDING, *_LEFT_TO_PERSON) + self._vanished_posts()
        verdicts = match_posts(
            [edited_signature(post) for post in sendable], self._unknown_remote_posts()
        )
        unclear = 0
        for post in sendable:
            verdict = verdicts.get(post.id)
            if verdict is not None:
                self._let_go(post)
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
        unclear += self._guard_edited_posts()
        forgotten_calls.charge_budget(self._account, self._unknown_rows, self._now)
        litter = self._forgotten.mark_drafts(self._unknown_rows)
        return Outcome(found=found, unclear=unclear, litter=litter)

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
        alive = self._posts_with_handover(_IN_POSTIZ)
        return [post for post, handover in alive if handover.postiz_id not in self._remote]

    def _let_go(self, post: Post) -> None:
        """Postiz has the post, so since the backup a person has released or approved it, or it was
        handed over anew as it was edited."""
        if post.state == PostState.RESCHEDULING:
            transitions.retire_handovers(self._session, [post.id], NOT_IN_BACKUP)
            self._move_post(post, PostState.PENDING, transitions.NOT_IN_POSTIZ)
        if post.edit is not None:
            edits.apply_edits(self._session, [post.id])
            self._session.refresh(post)
        if post.state in _LEFT_TO_PERSON:
            self._move_post(post, PostState.PENDING, {"approved_revision": Post.revision})

    def _guard_edited_posts(self) -> int:
        """A post that was edited since, and published, does not look like ours any more. So where
        Postiz has posts of a channel that nobody knows, what should be out there is left to a
        person; returns how many."""
        known = self._known_ids()
        channels = {
            row.integration_id
            for row in self._unknown_rows
            if row.state != DRAFT and row.id not in known and row.publish_at.microsecond
        }
        due = [
            post
            for post in self._posts_in(PostState.PENDING)
            if post.integration_id in channels and post.publish_at <= self._now
        ]
        for post in due:
            self._mark_unclear(post, post.publish_at)
        return len(due)

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
        for post_id, verdict in match_posts(map(edited_signature, failed.values()), theirs).items():
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
            Theirs(postiz_id=row.id, fingerprint=remote_fingerprint(row), publish_at=row.publish_at)
            for row in self._unknown_rows
            if row.state != DRAFT
        ]

    def _adopt_remote_post(self, post: Post, theirs: Theirs) -> None:
        """Postiz has the post under an id that is not in the backup."""
        values = self._add_handover(post, theirs.postiz_id, theirs.publish_at)
        self._advance_to_scheduled(post, values)

    def _add_handover(self, post: Post, postiz_id: str, marker_at: datetime) -> dict[str, object]:
        transitions.retire_handovers(self._session, [post.id], NOT_IN_BACKUP, discard=False)
        submission = self._forgotten.ensure_submission(marker_at)
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
