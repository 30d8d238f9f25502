"""The bodies of publish and bulk-publish, sent by a request or saved in a schedule."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from shared.intake.fields import ExternalId, Flag, IsoTime, Number, Whole, Zone
from shared.intake.thread_fields import Caption, Captions, Ids, ThreadFields

MAX_ITEMS = 10_000
NetworkSettings = dict[str, dict[str, Any]]


def _check_wall_time(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError("must be a time of the day such as 09:00")
    return text


_A_MONTH = 31 * 24 * 60
#: A time of the day.
Wall = Annotated[str, AfterValidator(_check_wall_time)]
Minutes = Annotated[Number, Field(ge=0, le=_A_MONTH, allow_inf_nan=False)]
#: What becomes of a thread on a network that has neither replies nor comments.
ThreadPolicy = Literal["refuse", "where_supported"]


class Defaults(ThreadFields):
    """What publish and bulk-publish have in common."""

    media_ids: Ids = Field([])
    caption: Caption = ""
    captions_per_platform: Captions = Field({}, description="By integration id or identifier")
    settings: NetworkSettings = Field({}, description="By integration id, or else identifier")
    youtube_title: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="`settings.title` of youtube, where that is not given"
    )
    thread_policy: ThreadPolicy = Field(
        "refuse", description="Or leave threads out where the network has none, with a warning"
    )
    save_as_draft: Flag = False
    requires_approval: Flag = Field(
        default=False,
        description="Nothing reaches Postiz until a person has approved it; true in any case where "
        "the profile requires it",
    )
    handoff: Literal["auto", "calendar", "staged"] = "auto"
    timezone: Zone = Field("UTC", description="Of times without a zone")
    duplicate_policy: Literal["warn", "refuse"] = Field(
        "warn",
        description="Of a post with the same text and media on the same channel within the "
        "profile's `duplicate_window_hours`",
    )


class PublishRequest(Defaults):
    integration_ids: Annotated[list[str], Field(min_length=1, max_length=100)]
    schedule_date: IsoTime | None = Field(None, description="null, or in the past: at once")
    external_id: ExternalId | None = None


class BulkItem(ThreadFields):
    """A row: what it does not name is taken from the request's defaults.

    An own `thread`, also an empty one, is in place of the default. `captions_per_platform` and
    `settings` are merged with the defaults, key by key.
    """

    media_ids: Ids | None = None
    caption: Caption | None = None
    integration_ids: Ids | None = None
    schedule_date: IsoTime | None = None
    captions_per_platform: Captions = Field(default_factory=dict)
    settings: NetworkSettings = Field(default_factory=dict)
    thread_policy: ThreadPolicy | None = None
    external_id: ExternalId | None = None


class Spreading(Defaults):
    """When the posts of many rows are due."""

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


class BulkPublishRequest(Spreading):
    items: Annotated[list[BulkItem], Field(min_length=1, max_length=MAX_ITEMS)]
    integration_ids: Ids = Field([])
    schedule_date: IsoTime | None = Field(None, description="The start; default now")


class Playlist(Spreading):
    """Media of which a schedule publishes the next ones at each fire time, each as its own post.

    All else is as in a bulk, for each of them alike.
    """

    media_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_ITEMS)]
    integration_ids: Annotated[list[str], Field(min_length=1, max_length=100)]
    media_captions: Captions = Field({}, description="By medium's id, instead of `caption`")
    per_run: Annotated[Whole, Field(ge=1, le=MAX_ITEMS)] = 1
    loop: Flag = Field(default=False, description="Begin again at its end, instead of ending")
    position: Annotated[Whole, Field(ge=0, le=MAX_ITEMS)] | None = Field(
        None, description="How many of the media have had their turn"
    )
    until: IsoTime | None = Field(None, description="It is not published after this time")
    max_runs: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="It ends after so many runs that published something"
    )
    cooldown_days: Annotated[Number, Field(ge=0, le=366, allow_inf_nan=False)] = Field(
        0, description="Within so many days no medium comes twice on one channel"
    )
    schedule_interval_minutes: Minutes = Field(0, description="Between the media of one run")
