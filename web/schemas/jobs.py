"""Jobs, their progress, and posts."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from shared.domain.publishing.states import JobState, PostState
from shared.intake.fields import Whole, Zone
from shared.intake.post_edits import EditedContent
from web.http_layer.pagination import PageQuery
from web.schemas.common import Body, IsoTime


class JobView(BaseModel):
    id: str
    kind: str
    profile_id: str
    state: JobState
    counts: dict[str, int] = Field(description="Posts, or uploads, by state")
    total: int
    percentage: int
    in_doubt: int = Field(
        description="Of the scheduled posts, those that Postiz is late with, or says that it "
        "failed so far; the job waits for them"
    )
    overdue: int = Field(
        description="Of the scheduled posts, those that Postiz has been late with for too long, or "
        "that cannot be looked at; the job waits no longer, and counts them as errors"
    )
    eta: datetime | None = Field(
        description="When all of it is published or in Postiz's calendar, by budget, pace and due "
        "times; null while it is paused or held"
    )
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class ProgressView(BaseModel):
    step: str
    percentage: int
    status: Literal["in_progress", "completed", "completed_with_errors", "failed", "not_found"]
    updated_at: datetime | None
    error_detail: str | None = None


class JobsQuery(PageQuery):
    state: JobState | None = None
    kind: Literal["upload", "bulk_upload", "publish", "bulk_publish"] | None = None


class RetryRequest(Body):
    confirm_not_published: bool = Field(
        default=False,
        description="Your word that what Postiz may have published is not on the network",
    )


class RetryPost(RetryRequest):
    as_of: IsoTime | None = Field(
        None,
        description="The time of the last entry of its timeline that you saw; if something has "
        "happened since, it is a 409",
    )


class PatchPost(EditedContent):
    """An edit: what is not given stays as it is."""

    publish_at: IsoTime | None = None
    timezone: Zone = Field("UTC", description="Of a `publish_at` without a zone")
    revision: Annotated[Whole, Field(ge=1)] | None = Field(
        None, description="The revision that you saw; if it is not the current one, it is a 409"
    )


class CauseView(BaseModel):
    """Failures with the same code; `POST /posts/retry` with `job_id` and `error_code` is for them.

    `message` and `hint` are those of the example.
    """

    code: str
    message: str
    hint: str | None
    count: int
    may_be_live: int = Field(description="Of these, posts whose retry needs your word")
    example: str = Field(description="The id of a post, or of a medium in a job of uploads")


class FailuresView(BaseModel):
    items: list[CauseView]


class JobPostsQuery(PageQuery):
    state: PostState | None = None


class PostsQuery(JobPostsQuery):
    integration_id: str | None = None
    error_code: str | None = Field(None, description="Why it failed, or waits")
    since: IsoTime | None = Field(None, alias="from", description="Due then or later")
    until: IsoTime | None = Field(None, alias="to", description="Due before then")


class IntegrationOfPost(BaseModel):
    id: str
    identifier: str | None
    name: str | None


class PostError(BaseModel):
    code: str
    message: str
    hint: str | None
    may_be_live: bool = Field(
        description="It may have reached the network: a retry needs your word that it did not"
    )


class EventView(BaseModel):
    at: datetime
    event: str
    detail: str | None


class PartView(BaseModel):
    """What is published under a post; `delay_minutes`: after the part before it."""

    content: str
    media_ids: list[str]
    delay_minutes: int


class PostView(BaseModel):
    id: str
    job_id: str
    profile_id: str
    integration: IntegrationOfPost
    content: str
    media_ids: list[str]
    thread: list[PartView]
    publish_at: datetime
    state: PostState
    revision: int = Field(description="1, and one more after each edit")
    requires_approval: bool
    approved_revision: int | None = Field(
        description="The last revision that a person approved; a later one waits for it again"
    )
    attempts: int
    error: PostError | None
    postiz_post_id: str | None
    release_url: str | None
    external_id: str | None
    timeline: list[EventView]
