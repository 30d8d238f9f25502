"""Publish and bulk-publish."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from web.schemas.common import Body, ExternalId, Flag, IsoTime, Number, Whole, Zone
from web.schemas.jobs import JobView

MAX_ITEMS = 10_000
#: A call to Postiz may have 100 kB, so a longer caption could never be handed over.
Caption = Annotated[str, Field(max_length=100_000)]
Captions = dict[str, Caption]
NetworkSettings = dict[str, dict[str, Any]]
Ids = Annotated[list[str], Field(max_length=100)]


def _wall(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError("must be a time of the day such as 09:00")
    return text


_A_MONTH = 31 * 24 * 60
#: A time of the day.
Wall = Annotated[str, AfterValidator(_wall)]
Minutes = Annotated[Number, Field(ge=0, le=_A_MONTH, allow_inf_nan=False)]


class NullIsAbsent(Body):
    """null stands for a field that is not given, as many clients send it."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, body: Any) -> Any:
        if not isinstance(body, dict) or None not in body.values():
            return body
        return {name: value for name, value in body.items() if value is not None}


class Defaults(NullIsAbsent):
    """What publish and bulk-publish have in common."""

    media_ids: Ids = Field([])
    caption: Caption = ""
    captions_per_platform: Captions = Field({}, description="By integration id or identifier")
    settings: NetworkSettings = Field({}, description="By integration id, or else identifier")
    youtube_title: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="`settings.title` of youtube, where that is not given"
    )
    save_as_draft: Flag = False
    handoff: Literal["auto", "calendar", "staged"] = "auto"
    timezone: Zone = Field("UTC", description="Of times without a zone")


class PublishRequest(Defaults):
    integration_ids: Annotated[list[str], Field(min_length=1, max_length=100)]
    schedule_date: IsoTime | None = Field(None, description="null, or in the past: at once")
    external_id: ExternalId | None = None


class BulkItem(NullIsAbsent):
    """A row: what it does not name is taken from the request's defaults.

    `captions_per_platform` and `settings` are merged with the defaults, key by key.
    """

    media_ids: Ids | None = None
    caption: Caption | None = None
    integration_ids: Ids | None = None
    schedule_date: IsoTime | None = None
    captions_per_platform: Captions = Field(default_factory=dict)
    settings: NetworkSettings = Field(default_factory=dict)
    external_id: ExternalId | None = None


class BulkQuery(BaseModel):
    """What is to be done with a bulk. CSV has the job's own fields here too."""

    model_config = ConfigDict(extra="allow")

    dry_run: bool = Field(default=False, description="Answer with the plan, and write nothing")
    skip_invalid: bool = Field(default=False, description="Leave out the rows that are at fault")


class BulkPublishRequest(Defaults):
    items: Annotated[list[BulkItem], Field(min_length=1, max_length=MAX_ITEMS)]
    integration_ids: Ids = Field([])
    schedule_date: IsoTime | None = Field(None, description="The start; default now")
    schedule_interval_minutes: Minutes = 30
    schedule_jitter_minutes: Minutes = 0
    jitter_seed: Whole | None = Field(None, description="The same seed, the same times")
    slots: Annotated[list[Wall], Field(min_length=1, max_length=1440)] | None = Field(
        None, description="Times of the day in `timezone`, instead of the interval"
    )
    daily_cap_per_integration: Annotated[Whole, Field(ge=1, le=MAX_ITEMS)] | None = Field(
        None, description="Posts a day in `timezone`, those accepted before included"
    )
    min_gap_minutes_per_integration: Minutes = Field(
        0, description="Between two posts, those accepted before included"
    )
    late_policy: Literal["publish", "skip", "hold"] = Field(
        "publish", description="Of posts that could not go out within 5 minutes of their time"
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
    handoff: Handovers
    jitter_seed: int | None = Field(description="Of the times, where there is jitter")
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
