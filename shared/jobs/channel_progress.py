"""How far a job is on each of its channels."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.domain.publishing.states import DONE, PostState
from shared.models import Post

#: Of a job that was cancelled or failed, in part.
NOT_PUBLISHED = frozenset({PostState.FAILED, PostState.CANCELLED})


@dataclass(kw_only=True)
class ChannelProgress:
    channel: str
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def well(self) -> int:
        """Published, or handed over to be."""
        return sum(self.counts.get(state, 0) for state in DONE - NOT_PUBLISHED)

    @property
    def wrong(self) -> int:
        return sum(self.counts.get(state, 0) for state in NOT_PUBLISHED)


def read_channels(session: Session, job_id: int, *, limit: int) -> list[ChannelProgress]:
    """The channels with the most posts first."""
    columns = Post.integration_id, func.max(Post.integration_name), Post.state, func.count()
    query = select(*columns).where(Post.job_id == job_id)
    rows = session.execute(query.group_by(Post.integration_id, Post.state))
    found: Mapping[str, ChannelProgress] = defaultdict(lambda: ChannelProgress(channel=""))
    for channel_id, name, state, number in rows:
        progress = found[channel_id]
        progress.channel = name or channel_id
        progress.counts[state] = number
    ordered = sorted(found.items(), key=lambda item: (-item[1].total, item[0]))
    return [progress for _, progress in ordered[:limit]]
