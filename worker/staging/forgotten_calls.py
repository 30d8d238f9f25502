"""Calls that a restored, older backup does not know: their rows, their drafts, their budget."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.domain.publishing.fingerprint import compute_fingerprint
from shared.domain.publishing.reconciliation import DRAFT
from shared.models import Account, Post, Submission
from shared.postiz.client import RemotePost

NOT_IN_BACKUP = "found in Postiz after an older backup was restored"
WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class ForgottenCalls:
    """Of one account. `profile_id`: one that has a key of it. `now`: when the check began."""

    session: Session
    account: Account
    profile_id: str
    now: datetime

    def ensure_submission(self, marker_at: datetime) -> Submission:
        """The call with this marker; recorded again if it is not in the backup."""
        query = select(Submission).where(
            Submission.account_id == self.account.id, Submission.marker_at == marker_at
        )
        found = self.session.scalars(query).first()
        if found is None:
            found = Submission(
                account_id=self.account.id,
                profile_id=self.profile_id,
                server=self.account.server,
                marker_at=marker_at,
                elements=0,
                state="staged",
                replied_at=self.now,
                detail=NOT_IN_BACKUP,
            )
            self.session.add(found)
            self.session.flush()
        return found

    def mark_drafts(self, unknown: Iterable[RemotePost]) -> int:
        """Mark our drafts that are not in the backup for deletion; returns how many."""
        ours = self._own_fingerprints()
        drafts = [
            row
            for row in unknown
            if row.state == DRAFT and row.publish_at.microsecond and remote_fingerprint(row) in ours
        ]
        for row in drafts:
            submission = self.ensure_submission(row.publish_at)
            submission.sent = [*submission.sent, remote_fingerprint(row)]
            submission.state, submission.litter_at = "abandoned", self.now
        return len(drafts)

    def _own_fingerprints(self) -> Collection[str]:
        """Of what posts say, and of what edits that wait would have them say."""
        edited = Post.edit["content"].astext
        query = select(Post.integration_id, Post.content, edited)
        rows = self.session.execute(query.where(Post.account_id == self.account.id))
        return {
            compute_fingerprint(channel, content)
            for channel, *contents in rows
            for content in contents
            if content is not None
        }


def charge_budget(account: Account, unknown: Iterable[RemotePost], now: datetime) -> None:
    """Charge these calls to this hour: Postiz may have counted them."""
    calls = Counter(row.publish_at for row in unknown if row.publish_at.microsecond)
    if not calls:
        return
    ends = account.window_ends_at
    alive = ends is not None and ends > now
    account.budget_used = (account.budget_used if alive else 0) + len(calls)
    account.window_ends_at = ends if alive else now + WINDOW


def remote_fingerprint(row: RemotePost) -> str:
    return compute_fingerprint(row.integration_id, row.content)
