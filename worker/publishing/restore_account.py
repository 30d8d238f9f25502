"""Restored: writes down, for one account, what its Postiz has and the database had forgotten."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from shared import db
from shared.db import Database
from shared.domain.publishing.fingerprint import fingerprint
from shared.domain.publishing.reconciliation import DRAFT
from shared.domain.publishing.restore_matching import Has, Theirs, compare
from shared.domain.publishing.states import PostState
from shared.models import Account, Handover, Post, Submission
from shared.postiz.client import RemotePost
from shared.posts import transitions
from worker.publishing.park import is_far
from worker.publishing.track import UNKNOWN
from worker.staging.staged_drafts import of_post

#: The steps by which a post comes to be held by Postiz.
WAY = (
    PostState.PENDING,
    PostState.STAGING,
    PostState.STAGED,
    PostState.RELEASING,
    PostState.SCHEDULED,
)
FORGOTTEN = "found in Postiz after an older backup was restored"
WINDOW = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`found` in Postiz, `unclear`, and drafts that are `litter` to be deleted."""

    found: int
    unclear: int
    litter: int


def open_posts(account_id: int) -> list[ColumnElement[bool]]:
    """What would be sent, or sent again by a retry."""
    states = (PostState.PENDING, PostState.STAGED, PostState.RELEASING, PostState.FAILED)
    own = Post.account_id == account_id, Post.state.in_(states)
    return [Handover.post_id.in_(select(Post.id).where(*own))]


def apply(
    database: Database, account_id: int, profile_id: str, there: Mapping[str, RemotePost]
) -> Outcome:
    """Write down all that was found, and let the account go: in one transaction."""
    with database.transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=True)
        here = _Account(session, account, profile_id, there)
        outcome = here.settle()
        account.paused, account.settle_pause = bool(account.settle_pause), None
        return outcome


class _Account:
    """One account, while it is compared."""

    def __init__(
        self,
        session: Session,
        account: Account,
        profile_id: str,
        there: Mapping[str, RemotePost],
    ) -> None:
        self._session = session
        self._now = db.clock(session)
        self._account = account
        self._profile_id = profile_id
        self._there = there
        known = self._known()
        self._strangers = [row for row in there.values() if row.id not in known]

    def settle(self) -> Outcome:
        found = self._released()
        sendable = self._in(PostState.PENDING, PostState.HELD) + self._vanished()
        verdicts = compare([of_post(post) for post in sendable], self._theirs())
        unclear = 0
        for post in sendable:
            verdict = verdicts.get(post.id)
            if verdict is not None and post.state == PostState.HELD:
                self._move(post, PostState.PENDING, {})  # a person has let it go since
            if isinstance(verdict, Has) and not is_far(verdict.theirs.publish_at):
                self._has(post, verdict.theirs)
                found += 1
            elif verdict is not None:
                theirs = verdict.theirs if isinstance(verdict, Has) else verdict.like
                self._unclear(post, theirs.publish_at)
                unclear += 1
            elif post.state not in (PostState.PENDING, PostState.HELD):
                self._unclear(post, None)
                unclear += 1
        self._failed()
        self._charge()
        return Outcome(found=found, unclear=unclear, litter=self._litter())

    def _in(self, *states: PostState) -> list[Post]:
        query = select(Post).where(Post.account_id == self._account.id, Post.state.in_(states))
        return list(self._session.scalars(query.order_by(Post.publish_at, Post.id)))

    def _alive(self, states: Sequence[PostState]) -> list[tuple[Post, Handover]]:
        query = (
            select(Post, Handover)
            .join(Handover, (Handover.post_id == Post.id) & Handover.buried_at.is_(None))
            .where(Post.account_id == self._account.id, Post.state.in_(states))
        )
        return [(post, handover) for post, handover in self._session.execute(query)]

    def _released(self) -> int:
        """Drafts that we know of and that were released since: how many; parked ones start anew."""
        count = 0
        for post, handover in self._alive([PostState.STAGED]):
            row = self._there.get(handover.postiz_id)
            if row is None:
                continue
            if row.state == DRAFT and is_far(row.publish_at):
                transitions.bury(self._session, [post.id], FORGOTTEN, discard=True)
                self._move(post, PostState.PENDING, transitions.NOT_IN_POSTIZ)
            elif row.state != DRAFT:
                handover.released_at, handover.state = self._now, "releasing"
                self._scheduled(post, {"released_at": self._now})
                count += 1
        return count

    def _vanished(self) -> list[Post]:
        """Whose known id Postiz does not list any more: staged anew since, or deleted."""
        alive = self._alive([PostState.STAGED, PostState.RELEASING])
        return [post for post, handover in alive if handover.postiz_id not in self._there]

    def _failed(self) -> None:
        """A retry of what failed asks for a person's word, where it may have been retried since."""
        released = {
            post.id for post, handover in self._alive([PostState.FAILED]) if handover.released_at
        }
        failed = {post.id: post for post in self._in(PostState.FAILED) if post.id not in released}
        known = self._known()
        theirs = [one for one in self._theirs() if one.postiz_id not in known]
        for post_id, verdict in compare(map(of_post, failed.values()), theirs).items():
            has = isinstance(verdict, Has)
            there = verdict.theirs if isinstance(verdict, Has) else verdict.like
            name = there.postiz_id if has else f"forgotten-{post_id}"
            values = self._hand_over(failed[post_id], name, there.publish_at)
            row = update(Post).where(Post.id == post_id)
            self._session.execute(row.values({**values, "track_at": self._now}))

    def _known(self) -> Collection[str]:
        query = select(Handover.postiz_id).where(Handover.account_id == self._account.id)
        return set(self._session.scalars(query))

    def _theirs(self) -> list[Theirs]:
        return [
            Theirs(postiz_id=row.id, look=_look(row), publish_at=row.publish_at)
            for row in self._strangers
            if row.state != DRAFT
        ]

    def _has(self, post: Post, theirs: Theirs) -> None:
        """Postiz has it under an id that we forgot."""
        values = self._hand_over(post, theirs.postiz_id, theirs.publish_at)
        self._scheduled(post, values)

    def _hand_over(self, post: Post, postiz_id: str, marker_at: datetime) -> dict[str, object]:
        transitions.bury(self._session, [post.id], FORGOTTEN, discard=False)
        submission = self._submission(marker_at)
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

    def _unclear(self, post: Post, like: datetime | None) -> None:
        """Left to a person; a retry of it asks for their word that it was not published."""
        if post.state == PostState.PENDING and like is not None:
            self._hand_over(post, f"forgotten-{post.id}", like)
        self._session.execute(
            update(Handover)
            .where(Handover.post_id == post.id, Handover.buried_at.is_(None))
            .values(released_at=self._now)
        )
        transitions.fail(
            self._session,
            [post.id],
            PostState(post.state),
            code="outcome_unknown",
            message="A backup was restored that is older than what became of this post.",
            hint=UNKNOWN,
        )

    def _submission(self, marker_at: datetime) -> Submission:
        """The call that made what stands under this date, written down anew where it is lost."""
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
                detail=FORGOTTEN,
            )
            self._session.add(found)
            self._session.flush()
        return found

    def _scheduled(self, post: Post, values: Mapping[str, object]) -> None:
        """By each step of the way, as if it had been seen to go it."""
        for state in WAY[WAY.index(PostState(post.state)) + 1 :]:
            last = state is PostState.SCHEDULED
            self._move(post, state, {**values, "track_at": self._now} if last else {})

    def _move(self, post: Post, state: PostState, values: Mapping[str, object]) -> None:
        source = PostState(post.state)
        transitions.move(
            self._session,
            [post.id],
            source,
            state,
            event="found_in_postiz" if state is PostState.SCHEDULED else "restored",
            detail=FORGOTTEN,
            values=values,
        )
        self._session.refresh(post)

    def _looks(self) -> Collection[str]:
        query = select(Post.integration_id, Post.content).where(Post.account_id == self._account.id)
        return {fingerprint(*row) for row in self._session.execute(query)}

    def _litter(self) -> int:
        """Drafts of ours that nobody remembers: left to the sweep, which deletes them."""
        ours = self._looks()
        drafts = [
            row
            for row in self._strangers
            if row.state == DRAFT and row.publish_at.microsecond and _look(row) in ours
        ]
        for row in drafts:
            submission = self._submission(row.publish_at)
            submission.sent = [*submission.sent, _look(row)]
            submission.state, submission.litter_at = "abandoned", self._now
        return len(drafts)

    def _charge(self) -> None:
        """Calls that the database forgot may be of this hour: Postiz has counted them."""
        calls = Counter(row.publish_at for row in self._strangers if row.publish_at.microsecond)
        if not calls:
            return
        ends = self._account.window_ends_at
        alive = ends is not None and ends > self._now
        self._account.budget_used = (self._account.budget_used if alive else 0) + len(calls)
        self._account.window_ends_at = ends if alive else self._now + WINDOW


def _look(row: RemotePost) -> str:
    return fingerprint(row.integration_id, row.content)
