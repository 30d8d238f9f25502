"""Publish and bulk-publish."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from web.schemas.common import Body, ExternalId, Flag, IsoTime, Number, Whole, Zone
from web.schemas.jobs import JobView

MAX_ITEMS = 10_000
#: A call to Postiz may have 100 kB, so a longer caption could never be handed over.
Caption = Annotated[str, Field(max_length=100_000)]
Captions = dict[str, Caption]
NetworkSettings = dict[str, dict[str, Any]]
Ids = Annotated[list[str], Field(max_length=100)]
_A_MONTH = 31 * 24 * 60
Minutes = Annotated[Number, Field(ge=0, le=_A_MONTH, allow_inf_nan=False)]


class NullIsAbsent(Body):
    """null stands for a field that is not given, as many clients send it."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, body: Any) -> Any:
        if not isinstance(body, dict):
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
    captions_per_platform: Captions = Field({})
    settings: NetworkSettings = Field({})
    external_id: ExternalId | None = None


class BulkPublishRequest(Defaults):
    items: Annotated[list[BulkItem], Field(min_length=1, max_length=MAX_ITEMS)]
    integration_ids: Ids = Field([])
    schedule_date: IsoTime | None = Field(None, description="The start; default now")
    schedule_interval_minutes: Minutes = 30
    schedule_jitter_minutes: Minutes = 0
    jitter_seed: Whole | None = Field(None, description="The same seed, the same times")


class JobReply(BaseModel):
    job: JobView
