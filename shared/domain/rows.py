"""From the rows of a request to its posts, one per row and integration, or what is wrong."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.domain.packing import MAX_BYTES, size_of
from shared.domain.rules import violations
from shared.errors import FieldError

YOUTUBE = "youtube"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """An integration; `identifier` is None where Postiz has not told us its list yet."""

    id: str
    identifier: str | None = None
    name: str | None = None
    disabled: bool = False


@dataclass(frozen=True, kw_only=True)
class Medium:
    """A stored file; `mime` is None until it has been fetched."""

    id: int
    mime: str | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a request, with the request's defaults filled in.

    `captions` and `settings` are by integration id or identifier; the id wins. `path` leads to the
    row in the request: `items.3.`, or nothing for a request of a single row.
    """

    position: int = 0
    path: str = ""
    caption: str = ""
    captions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    youtube_title: str | None = None
    media_ids: Sequence[str] = ()
    integration_ids: Sequence[str] = ()
    publish_at: datetime
    external_id: str | None = None
    faults: Sequence[FieldError] = ()  # what was found before it came to the rules

    def caption_key(self, channel: Channel) -> str | None:
        """Under which key `captions` has something for `channel`."""
        keys = (channel.id, channel.identifier)
        return next((key for key in keys if key is not None and key in self.captions), None)

    def content_for(self, channel: Channel) -> str:
        key = self.caption_key(channel)
        return self.caption if key is None else self.captions[key]

    def settings_for(self, channel: Channel) -> dict[str, Any]:
        by_network = self.settings.get(channel.identifier or "", {})
        settings = {**by_network, **self.settings.get(channel.id, {})}
        if channel.identifier == YOUTUBE and self.youtube_title and not settings.get("title"):
            settings["title"] = self.youtube_title
        return settings


@dataclass(frozen=True, kw_only=True)
class PlannedPost:
    row: Row
    channel: Channel
    content: str
    settings: dict[str, Any]
    media_ids: list[int]


@dataclass(frozen=True, kw_only=True)
class Known:
    """What rows are checked against. `channels`: by id, None where no list is to be had."""

    channels: Mapping[str, Channel] | None
    media: Mapping[str, Medium]


@dataclass(frozen=True, kw_only=True)
class CheckedRow:
    """What comes of a row: its posts, or the faults for which it has none."""

    row: Row
    posts: Sequence[PlannedPost] = ()
    faults: Sequence[FieldError] = ()


def check_rows(rows: Iterable[Row], known: Known) -> list[CheckedRow]:
    """Every row with its posts in order, or with all of its faults."""
    return [_checked(row, known) for row in rows]


def _checked(row: Row, known: Known) -> CheckedRow:
    faults = [*row.faults, *_media_faults(row, known), *_channel_faults(row, known)]
    if not faults:
        posts = [_planned(row, channel, known) for channel in _channels(row, known)]
        faults = [fault for post in posts for fault in faults_of(post, known)]
    return CheckedRow(row=row, faults=faults) if faults else CheckedRow(row=row, posts=posts)


def faults_of(post: PlannedPost, known: Known) -> list[FieldError]:
    """What the network would refuse in this post, named by the fields of its row."""
    size = size_of(post.content, post.settings, len(post.media_ids))
    if size > MAX_BYTES:
        message = f"the post takes {size:,} bytes of JSON, and Postiz takes at most {MAX_BYTES:,}"
        return [FieldError(field=_field(post, "caption"), message=message, code="too_large")]
    if post.channel.identifier is None:
        return []
    found = violations(
        post.channel.identifier,
        content=post.content,
        settings=post.settings,
        mimes=[known.media[media_id].mime for media_id in post.row.media_ids],
    )
    return [
        FieldError(field=_field(post, fault.field), message=fault.message, code=fault.code)
        for fault in found
    ]


def _field(post: PlannedPost, name: str) -> str:
    """Where in the request `name` of a violation came from."""
    key = post.row.caption_key(post.channel)
    if name == "caption" and key is not None:
        name = f"captions_per_platform.{key}"
    if name.startswith("settings."):
        name = name.replace("settings.", f"settings.{post.channel.id}.", 1)
    return post.row.path + name


def _planned(row: Row, channel: Channel, known: Known) -> PlannedPost:
    return PlannedPost(
        row=row,
        channel=channel,
        content=row.content_for(channel),
        settings=row.settings_for(channel),
        media_ids=[known.media[media_id].id for media_id in row.media_ids],
    )


def _channels(row: Row, known: Known) -> list[Channel]:
    if known.channels is None:
        return [Channel(id=name) for name in row.integration_ids]
    return [known.channels[name] for name in row.integration_ids]


def _media_faults(row: Row, known: Known) -> Iterator[FieldError]:
    for index, media_id in enumerate(row.media_ids):
        if media_id not in known.media:
            yield FieldError(
                field=f"{row.path}media_ids.{index}",
                message=f"there is no medium {media_id!r} in this profile",
                code="unknown_media",
            )


def _channel_faults(row: Row, known: Known) -> Iterator[FieldError]:
    if not row.integration_ids:
        yield _channel_fault(row, "", "no integration is named", "missing_integration")
    for index, name in enumerate(row.integration_ids):
        place = f".{index}"
        channel = known.channels.get(name) if known.channels is not None else Channel(id=name)
        if channel is None:
            message = f"there is no integration {name!r} in this profile's Postiz"
            yield _channel_fault(row, place, message, "unknown_integration")
        elif channel.disabled:
            message = f"{channel.name} ({channel.id}) is disabled in Postiz: connect it again there"
            yield _channel_fault(row, place, message, "integration_disabled")
        if name in row.integration_ids[:index]:
            message = f"{name!r} is named twice: the post would be published twice"
            yield _channel_fault(row, place, message, "repeated_integration")


def _channel_fault(row: Row, place: str, message: str, code: str) -> FieldError:
    return FieldError(field=f"{row.path}integration_ids{place}", message=message, code=code)
