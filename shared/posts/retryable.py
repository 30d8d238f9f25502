"""Which of many posts may be retried, and why the others are refused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select

from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.errors import HOW_TO_CONFIGURE, NotConfigured
from shared.models import Post
from shared.posts import cancel_retry
from shared.posts.post_queries import PostFilter
from shared.posts.requested_edits import EditRequest

#: Codes of the reasons why a post is not retried.
NOT_CONFIGURED, MAY_BE_LIVE = NotConfigured.code, "may_be_live"
MEDIA_DELETED, APPROVAL_REQUIRED = "media_deleted", "approval_required"
WHY_REFUSED = {
    NOT_CONFIGURED: HOW_TO_CONFIGURE,
    MEDIA_DELETED: "Media of it were deleted: give it others (media_ids), and retry it then",
    APPROVAL_REQUIRED: "Nobody would approve it, and what this key publishes has to be approved: "
    "have a person retry it",
    MAY_BE_LIVE: cancel_retry.MAY_BE_LIVE.replace("{", "{{").replace("}", "}}"),
}

Conditions = Sequence[ColumnElement[bool]]


@dataclass(frozen=True, kw_only=True)
class Retryable:
    """Conditions for posts that may be retried, with those that are refused; `allowed`: for all."""

    allowed: Conditions
    held: Conditions
    failed: Conditions
    overdue: Conditions

    @classmethod
    def of(
        cls,
        database: Database,
        wanted: PostFilter,
        *,
        past_approval: bool,
        request: EditRequest | None = None,
    ) -> "Retryable":
        """As they are now: what fails later is not retried; nor what has since `request` began."""
        with database.transaction() as session:
            begun = request and request.read_beginning(session)
            unchanged = Post.updated_at <= (begun or session.scalar(select(func.now())))
        chosen = [*wanted.conditions(), unchanged]
        return cls(
            allowed=[] if past_approval else [Post.requires_approval.is_(True)],
            held=[*chosen, Post.state == PostState.HELD],
            failed=[*chosen, Post.state == PostState.FAILED],
            overdue=[*chosen, cancel_retry.overdue_condition()],
        )

    def split(self, *, confirmed: bool) -> tuple[Conditions, Conditions, Conditions]:
        """Without those that are refused."""
        may = [*self.allowed, cancel_retry.has_postiz()]
        live, whole = cancel_retry.may_be_live(), cancel_retry.has_media()
        return (
            [*self.held, *may, whole],
            [*self.failed, *may, whole, *([] if confirmed else [~live])],
            [*self.overdue, *may],
        )

    def refused(self, *, confirmed: bool) -> Iterator[tuple[str, Conditions]]:
        """With the code of the reason."""
        configured, live = cancel_retry.has_postiz(), cancel_retry.may_be_live()
        may = [*self.allowed, configured]
        without_media = [*may, ~cancel_retry.has_media(), *([] if confirmed else [~live])]
        for group in (self.held, self.failed, self.overdue):
            yield NOT_CONFIGURED, [*group, *self.allowed, ~configured]
            if self.allowed:
                yield APPROVAL_REQUIRED, [*group, ~Post.requires_approval]
            if not confirmed:
                yield MAY_BE_LIVE, [*group, *may, live]
        yield MEDIA_DELETED, [*self.held, *without_media]
        yield MEDIA_DELETED, [*self.failed, *without_media]
