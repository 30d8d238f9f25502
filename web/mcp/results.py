"""What the tools answer, as structured content: the shapes of the API, and next steps."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from shared.domain.publishing.reconciliation import CANCELLED_LATE
from web.schemas.control import RefusedView
from web.schemas.jobs import CauseView, JobView, PostView
from web.schemas.profiles import ChannelView
from web.schemas.publishing import PlanWarning

OUTCOME_UNKNOWN = "outcome_unknown"
_NEXT_STEPS = {
    OUTCOME_UNKNOWN: "It may be on the network. Do not publish it again: ask a person to look at "
    "the channel. Only if it is not there, call retry_missing_post with as_of",
    "failed": "Read the error, mend it with edit_post if its content is at fault, then call "
    "retry_posts",
    "waiting_approval": "A person has to approve it; you cannot",
    "held": "It is late and waits for a decision: retry_posts lets it go, cancel_posts takes it "
    "back",
}
_ONLY_WITH_WORD = (
    "Postiz had released it before it failed: ask a person to look at the channel. Only if it is "
    "not there, mend it with edit_post if its content is at fault, and call retry_missing_post "
    "with as_of"
)
#: Who may not say that a post is not on the network.
WITHOUT_WORD = (
    "This key may not say that the post is not on the network: it lacks the scope 'approve'. Ask a "
    "person to look at the channel, and to retry the post on its page in Pressroom"
)


class Channels(BaseModel):
    channels: list[ChannelView]


class Planned(BaseModel):
    """A post that the plan would make; `row`: of the items, counted from 0."""

    row: int
    integration_id: str
    publish_at: datetime | None = Field(description="Null: at once")
    content: str
    media_ids: list[str]


class PlanResult(BaseModel):
    plan_id: str
    expires_at: datetime
    profile_id: str
    posts: list[Planned] = Field(description="The first 1,000")
    total: int = Field(description="Of all posts")
    requires_approval: bool
    first_at: datetime | None
    finishes_at: datetime | None
    late_posts: int
    warnings: list[PlanWarning]


class JobResult(BaseModel):
    job: JobView
    failures: list[CauseView] = Field([], description="Why posts failed, by cause")


class PublishResult(BaseModel):
    job: JobView
    warnings: list[PlanWarning] = []


class AgentPost(PostView):
    """`outcome`: the state, or `outcome_unknown` for what may or may not be on the network.

    `as_of`: when something last happened to it; where its timeline is gone, when it was read.
    """

    outcome: str
    next_step: str | None
    as_of: datetime

    @classmethod
    def of(cls, shown: dict[str, Any], read_at: datetime) -> "AgentPost":
        error = shown["error"] or {}
        is_unknown = error.get("code") in {OUTCOME_UNKNOWN, CANCELLED_LATE}
        outcome = OUTCOME_UNKNOWN if is_unknown else shown["state"]
        needs_word = outcome == "failed" and error.get("may_be_live")
        step = _ONLY_WITH_WORD if needs_word else _NEXT_STEPS.get(outcome)
        as_of = shown["timeline"][-1]["at"] if shown["timeline"] else read_at
        return cls(**shown, outcome=outcome, next_step=step, as_of=as_of)


class PostResult(BaseModel):
    post: AgentPost


class PostsResult(BaseModel):
    posts: list[AgentPost]
    next_cursor: str | None


class ChangeResult(BaseModel):
    """`changed`: with `dry_run`, what would be."""

    matched: int
    changed: int
    may_be_live: int = Field(0, description="Posts that a retry leaves as they are: see get_post")
    refused: list[RefusedView]
