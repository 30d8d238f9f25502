"""Failure reasons: reads Postiz's notifications about posts that it could not publish."""

from datetime import datetime, timedelta

from sqlalchemy import select

from shared.accounts.channels import channels_by_id
from shared.domain.networks.channel import Channel
from shared.domain.networks.failure_reasons import (
    INCOMPLETE_UNEXPLAINED,
    NONE_GIVEN,
    Notice,
    Reason,
    count_refusals,
    find_reason,
)
from shared.errors import PressroomError
from shared.models import Integration
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import postiz_call, remote_posts
from worker.runtime import Runtime

#: How exactly Postiz's clock is known: a reply's `Date` has whole seconds.
CLOCK_MARGIN = timedelta(seconds=2)
#: How far around the failure to search: Postiz writes most notifications after the post's state, on
#: a busy machine with a delay, and its clock may differ from ours.
BEFORE, AFTER = timedelta(minutes=1), timedelta(minutes=5)


class FailureNotices:
    """Postiz's notifications, read at most once per credentials."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._notices: dict[CredentialRef, list[Notice]] = {}

    def find(self, subject: remote_posts.Subject, *, due_at: datetime, seen_at: datetime) -> Reason:
        """The reason for a post that was due at `due_at` and first seen as failed at `seen_at`.

        A reason that was found before is kept.
        """
        if (
            subject.reason is not None
            and subject.error_at is not None
            and subject.reason not in (NONE_GIVEN, INCOMPLETE_UNEXPLAINED)
        ):
            return subject.reason
        found = find_reason(
            self._notices_for(subject),
            channel_id=subject.integration_id,
            channels=self._known_channels(subject),
            since=due_at - BEFORE,
            until=seen_at + AFTER,
        )
        return found or NONE_GIVEN

    def count_refusals(self, subject: remote_posts.Subject, since: datetime) -> int:
        """How many posts of its channel Postiz refused since then (by our clock), before it sent
        anything of them."""
        ahead = remote_posts.clock_error(self._runtime, subject)
        return count_refusals(
            self._notices_for(subject),
            channel_id=subject.integration_id,
            channels=self._known_channels(subject),
            since=since + ahead - CLOCK_MARGIN,
        )

    def _notices_for(self, subject: remote_posts.Subject) -> list[Notice]:
        credentials = subject.credentials
        if credentials not in self._notices:
            self._notices[credentials] = self.read(subject)
        return self._notices[credentials]

    def read(self, subject: remote_posts.Subject) -> list[Notice]:
        """Empty if Postiz does not answer."""
        try:
            rows = postiz_call.make_call(
                self._runtime, subject.credentials, lambda postiz: postiz.notifications()
            )
        except PressroomError:
            return []  # without a reason the work on the post continues
        return [Notice(content=row.content, created_at=row.created_at) for row in rows]

    def _known_channels(self, subject: remote_posts.Subject) -> list[Channel]:
        """The account's channels, and the post's own even if Postiz no longer lists it."""
        own = Channel(
            id=subject.integration_id,
            identifier=subject.integration_identifier,
            name=subject.integration_name,
        )
        with self._runtime.database.transaction() as session:
            account_id = subject.credentials.account_id
            query = select(Integration).where(Integration.account_id == account_id)
            known = channels_by_id(session.scalars(query))
        return list({own.id: own, **known}.values())
