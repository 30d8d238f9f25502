"""What needs a person: failures, decisions that posts wait for, channels that cannot publish."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.accounts import channel_states
from shared.domain.networks.channel_states import ChannelState
from shared.domain.publishing.states import PostState
from shared.models import Integration, Post, Profile
from shared.posts import failure_causes
from shared.posts.failure_causes import Cause

#: Failures that are older need nobody any more.
RECENT = timedelta(days=7)
#: Rows of each kind; the lists have the others.
SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class WaitingGroup:
    """Posts of a job that wait for a person: for an approval, or because they are late."""

    job_id: int
    profile_id: str
    state: PostState
    count: int


def list_failures(session: Session, visible: VisibleProfiles) -> list[Cause]:
    """The most frequent first."""
    recent = Post.error_at >= func.now() - RECENT, visible.condition(Post)
    causes = failure_causes.list_post_causes(session, *recent)
    return sorted(causes, key=lambda cause: (-cause.count, cause.code))[:SHOWN]


def list_waiting(session: Session, visible: VisibleProfiles) -> list[WaitingGroup]:
    """By state, the oldest job first."""
    group = Post.job_id, Post.profile_id
    found: list[WaitingGroup] = []
    for state in (PostState.WAITING_APPROVAL, PostState.HELD):  # each has its own index
        query = select(*group, func.count()).where(Post.state == state, visible.condition(Post))
        rows = session.execute(query.group_by(*group).order_by(Post.job_id).limit(SHOWN))
        found += [
            WaitingGroup(job_id=job_id, profile_id=profile_id, state=state, count=count)
            for job_id, profile_id, count in rows
        ]
    return found


def list_channels(session: Session, visible: VisibleProfiles) -> Sequence[Integration]:
    """Channels of the visible profiles that cannot publish, and that posts wait for."""
    waited_for = Integration.state != ChannelState.READY, channel_states.is_waited_for()
    query = select(Integration).where(*waited_for, _is_used_by(visible))
    return session.scalars(query.order_by(Integration.name, Integration.id).limit(SHOWN)).all()


def _is_used_by(visible: VisibleProfiles) -> ColumnElement[bool]:
    users = select(Profile.account_id).where(visible.condition(Profile))
    return Integration.account_id.in_(users.where(Profile.account_id.is_not(None)))
