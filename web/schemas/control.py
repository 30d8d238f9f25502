"""Cancel and retry of many posts at once."""

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from shared.domain.publishing.states import PostState
from shared.intake.fields import ExternalId, Number, Zone
from shared.intake.post_edits import EditedContent
from shared.intake.schemas import Minutes, Wall
from web.schemas.common import Body, IsoTime
from web.schemas.jobs import RetryRequest

MAX_IDS = 10_000
A_YEAR = 366 * 24 * 60


class WhichPosts(Body):
    """Those that meet every field; at least one has to be there."""

    ids: Annotated[list[str], Field(min_length=1, max_length=MAX_IDS)] | None = None
    job_id: str | None = None
    profile_id: str | None = None
    account_id: str | None = None
    integration_id: str | None = None
    state: PostState | None = None
    error_code: str | None = None
    external_id: ExternalId | None = None
    since: IsoTime | None = Field(None, alias="from", description="Due then or later")
    until: IsoTime | None = Field(None, alias="to", description="Due before then")

    @model_validator(mode="after")
    def _names_something(self) -> "WhichPosts":
        named = set(WhichPosts.model_fields) & self.model_fields_set
        if all(getattr(self, name) is None for name in named):
            raise ValueError("say which posts: no field is given")
        return self


class WhichToRetry(WhichPosts, RetryRequest):
    pass


class RefusedView(BaseModel):
    code: str
    message: str
    count: int = Field(description="Posts that were left as they are for this reason")
    post_id: str = Field(description="The first of them")


class DryRunQuery(BaseModel):
    dry_run: bool = Field(default=False, description="Say what would change, and change nothing")


class WhichToMove(WhichPosts):
    """`shift_minutes` moves each post; `schedule_date` lets them follow each other from there."""

    shift_minutes: Annotated[Number, Field(ge=-A_YEAR, le=A_YEAR, allow_inf_nan=False)] | None = (
        None
    )
    schedule_date: IsoTime | None = Field(None, description="When the first of them is due")
    schedule_interval_minutes: Minutes = 30
    slots: Annotated[list[Wall], Field(min_length=1, max_length=1440)] | None = Field(
        None, description="Times of the day in `timezone`, instead of the interval"
    )
    timezone: Zone = "UTC"

    @model_validator(mode="after")
    def _says_where_to(self) -> "WhichToMove":
        if (self.shift_minutes is None) == (self.schedule_date is None):
            raise ValueError("give either shift_minutes or schedule_date")
        return self


class WhichToEdit(WhichPosts, EditedContent):
    publish_at: IsoTime | None = None
    timezone: Zone = Field("UTC", description="Of a `publish_at` without a zone")


class PlannedChange(BaseModel):
    """What a request would change."""

    matched: int = Field(description="Posts that meet every field")
    would_change: int
    refused: list[RefusedView]


class EditedView(BaseModel):
    matched: int = Field(description="Posts that meet every field")
    changed: int = Field(description="Posts that were changed by this request")
    refused: list[RefusedView]


class ChangedView(BaseModel):
    matched: int = Field(description="Posts that meet every field")
    changed: int = Field(description="Posts that were changed by this request")
    may_be_live: int = Field(
        0, description="Failed posts that may be on the network, and wait for your word on it"
    )
    refused: list[RefusedView]
