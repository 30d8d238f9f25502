"""Schedules, and the results of their fire times."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from shared.domain.timing.cron import normalize_expression
from shared.intake.schemas import BulkPublishRequest, Playlist
from web.http_layer.pagination import PageQuery, Query
from web.schemas.common import Flag, IsoTime, Name, NullIsAbsent, Whole, Zone
from web.schemas.jobs import JobView
from web.schemas.publishing import PlanWarning

Cron = Annotated[
    str,
    Field(max_length=200, description="Minute, hour, day of month, month, day of week"),
    AfterValidator(normalize_expression),
]
_A_MONTH = 31 * 24 * 3600
Grace = Annotated[
    Whole,
    Field(ge=0, le=_A_MONTH, description="A fire time is run if it is less late than this"),
]
_BULK = "As of bulk-publish, without dates: the start is the fire time"


class NewSchedule(NullIsAbsent):
    """With either `bulk` or `playlist`."""

    name: Name
    cron: Cron
    timezone: Zone = Field("UTC", description="Of the cron expression, and of the body's times")
    profile_id: str | None = Field(None, description="Default: the profile of the request")
    bulk: BulkPublishRequest | None = Field(None, description=_BULK)
    playlist: Playlist | None = None
    enabled: Flag = True
    misfire_grace_seconds: Grace = 3600

    @model_validator(mode="after")
    def _has_one_content(self) -> "NewSchedule":
        if (self.bulk is None) == (self.playlist is None):
            raise ValueError("either bulk or playlist says what is published")
        return self


class PatchSchedule(NullIsAbsent):
    """What is not named stays; a `bulk` or `playlist` replaces what there was, whole."""

    name: Name | None = None
    cron: Cron | None = None
    timezone: Zone | None = None
    bulk: BulkPublishRequest | None = Field(None, description=_BULK)
    playlist: Playlist | None = None
    enabled: Flag | None = None
    misfire_grace_seconds: Grace | None = None
    as_of: IsoTime | None = Field(
        None, description="The `updated_at` that you saw; if it was changed since, it is a 409"
    )

    @model_validator(mode="after")
    def _has_no_two_contents(self) -> "PatchSchedule":
        if self.bulk is not None and self.playlist is not None:
            raise ValueError("either bulk or playlist says what is published")
        return self


class FireTimesQuery(Query):
    cron: Cron
    timezone: Zone = "UTC"
    count: Annotated[int, Field(ge=1, le=50)] = 10


class FireTimes(BaseModel):
    cron: str = Field(description="As it is kept")
    timezone: str
    fire_times: list[datetime] = Field(description="From now on; fewer where there are no more")


class SchedulesQuery(PageQuery):
    enabled: bool | None = None


class ScheduleSummary(BaseModel):
    """A schedule without the rows that it publishes."""

    id: str
    name: str
    cron: str
    timezone: str
    profile_id: str
    kind: Literal["bulk", "playlist"]
    items: int = Field(description="Rows of the bulk, or media of the playlist")
    position: int = Field(description="Of the playlist's media, how many have had their turn")
    ended: bool = Field(description="The playlist has ended: played, or by until or max_runs")
    runs_left: int | None = Field(description="Of the playlist's max_runs")
    enabled: bool
    misfire_grace_seconds: int
    next_fire_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ScheduleView(ScheduleSummary):
    bulk: dict[str, Any] | None
    playlist: dict[str, Any] | None


class SavedSchedule(ScheduleView):
    warnings: list[PlanWarning] = Field([], description="What may go wrong, or was assumed")


class RunsQuery(PageQuery):
    state: Literal["started", "missed", "failed", "nothing_due"] | None = None


class RunError(BaseModel):
    code: str
    message: str


class RunView(BaseModel):
    """What became of a fire time, or of the many that were missed while all was down."""

    id: str
    schedule_id: str
    fire_at: datetime
    state: Literal["started", "missed", "failed", "nothing_due"]
    by_hand: bool
    job_id: str | None
    error: RunError | None = Field(description="Why nothing was published")
    fire_times: int | None = Field(description="That this stands for; null for more than 2,000")
    until: datetime | None = Field(description="Where it stands for many: they lie before this")
    created_at: datetime


class RunReply(BaseModel):
    run: RunView
    job: JobView
