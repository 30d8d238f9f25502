"""Publish and bulk-publish: the options of a bulk, and the replies."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from web.schemas.jobs import JobView, PartView


class BulkQuery(BaseModel):
    """What is to be done with a bulk. CSV has the job's own fields here too."""

    model_config = ConfigDict(extra="allow")

    dry_run: bool = Field(default=False, description="Answer with the plan, and write nothing")
    skip_invalid: bool = Field(default=False, description="Leave out the rows that are at fault")
    times_tag: str = Field(
        "", description="Of a plan: accept only while its rows have these times (`plan_outdated`)"
    )


class FaultOfRow(BaseModel):
    code: str
    message: str
    field: str
    remedy: str | None = Field(None, description="What to do about it")


class PlannedPostView(BaseModel):
    """A post of a row; `content` only where it is not the row's caption."""

    integration_id: str
    identifier: str | None
    settings: dict[str, Any]
    assumed: list[str] = Field(description="The settings that nobody gave")
    content: str | None
    thread: list[PartView] = Field(description="What is published under it")


class PlannedRow(BaseModel):
    """A row of the request; `errors` say why it has no posts."""

    index: int
    ok: bool
    publish_at: datetime | None
    errors: list[FaultOfRow]
    posts: list[PlannedPostView] = []


class PlanWarning(BaseModel):
    """What is not known to be wrong, and for which rows.

    `source`, `confidence`: of the limit that it is about, as docs/NETWORKS.md has them.
    """

    code: str
    message: str
    indexes: list[int]
    remedy: str | None = None
    source: str | None = None
    confidence: str | None = None


class Handovers(BaseModel):
    """Posts by the way in which they are handed over."""

    calendar: int = 0
    staged: int = 0


class Plan(BaseModel):
    """What the same request without `dry_run` would do."""

    posts: int
    counted_calls: int = Field(description="Of the hourly limit on creating posts")
    first_at: datetime | None
    finishes_at: datetime | None
    late_posts: int = Field(description="Posts that cannot go out within 5 minutes of their time")
    requires_approval: bool = Field(
        description="They wait for a person's approval; the times are those of an approval now"
    )
    handoff: Handovers
    jitter_seed: int | None = Field(description="Of the times, where there is jitter")
    times_tag: str = Field(description="For `?times_tag=`; empty where times are counted from now")
    warnings: list[PlanWarning]
    rows: list[PlannedRow]


class PlanReply(BaseModel):
    plan: Plan


class JobReply(BaseModel):
    job: JobView
    warnings: list[PlanWarning] = Field([], description="What may go wrong, or was assumed")


class SkippedRow(BaseModel):
    index: int
    errors: list[FaultOfRow]


class BulkJobReply(JobReply):
    skipped: int = Field(0, description="Rows that were left out, with `skip_invalid`")
    skipped_rows: list[SkippedRow] = Field([], description="The first 100 of them")
