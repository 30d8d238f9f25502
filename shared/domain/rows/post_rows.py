"""From the rows of a request to its posts, one per row and integration, or to its errors."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from shared.domain.networks.channel import Channel
from shared.domain.networks.default_settings import find_default_settings
from shared.domain.networks.limit_overrides import Overrides, limits_of
from shared.domain.networks.limits import Limits
from shared.domain.networks.medium import Medium
from shared.domain.networks.post_rules import find_violations
from shared.domain.networks.thread_support import takes_threads
from shared.domain.publishing.batching import MAX_BYTES, size_of
from shared.domain.rows.earlier_posts import EarlierPost, digest_text
from shared.domain.rows.thread_parts import (
    ABOUT_MEDIA,
    FindNumber,
    PlannedPart,
    RowPart,
    find_thread_faults,
    plan_parts,
)
from shared.domain.timing.local_time import ClockChange
from shared.errors import FieldError

YOUTUBE = "youtube"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a request, with the request's defaults filled in.

    `captions` and `settings` are by integration id or identifier; the id takes precedence. Values
    for `instagram` or `linkedin` apply to `instagram-standalone` and `linkedin-page` too. `path`:
    where the row is in the request, such as `items.3.`; empty if the request is a single row.
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
    clock_change: ClockChange | None = None  # of the row's own time, as it was written
    external_id: str | None = None
    thread: Sequence[RowPart] = ()  # what comes under it
    drops_thread: bool = False  # where the network has neither replies nor comments
    faults: Sequence[FieldError] = ()  # a row with these is not checked by the rules

    @property
    def number(self) -> int | None:
        """Its number among the rows of the request; None if the request is a single row."""
        return self.position if self.path else None

    @property
    def all_media_ids(self) -> list[str]:
        """Of the post and of what comes under it."""
        return [*self.media_ids, *(name for part in self.thread for name in part.media_ids)]

    def caption_key(self, channel: Channel) -> str | None:
        """The key in `captions` for `channel`, or None."""
        return next((key for key in channel.keys if key in self.captions), None)

    def content_for(self, channel: Channel) -> str:
        key = self.caption_key(channel)
        return self.caption if key is None else self.captions[key]

    def settings_for(self, channel: Channel) -> dict[str, Any]:
        """The settings in the request, without the assumed ones."""
        settings: dict[str, Any] = {}
        for key in reversed(channel.keys):
            settings |= self.settings.get(key, {})
        if channel.identifier == YOUTUBE and self.youtube_title and not settings.get("title"):
            settings["title"] = self.youtube_title
        return settings

    def place_of(self, setting: str, channel: Channel) -> str:
        """Where in the request `setting` of a channel is, or could be."""
        given = (key for key in channel.keys if setting in self.settings.get(key, {}))
        key = next(given, None)
        if key is None and channel.identifier == YOUTUBE and setting == "title":
            return "youtube_title" if self.youtube_title else f"settings.{channel.id}.title"
        return f"settings.{key or channel.id}.{setting}"


@dataclass(frozen=True, kw_only=True)
class PlannedPost:
    """`settings`: including those that are `assumed`, because the network requires them."""

    row: Row
    channel: Channel
    content: str
    settings: dict[str, Any]
    media_ids: list[int]
    thread: Sequence[PlannedPart] = ()
    assumed: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        return digest_text(self.content)

    @property
    def all_media_ids(self) -> list[int]:
        """Of the post and of what comes under it."""
        return [*self.media_ids, *(number for part in self.thread for number in part.media_ids)]

    @property
    def thread_json(self) -> list[dict[str, Any]]:
        """As it is stored: `shared.models.Post.thread`."""
        return [part.as_json() for part in self.thread]

    @property
    def has_lost_thread(self) -> bool:
        """Whether its thread is left out, because the network has none."""
        return self.row.drops_thread and bool(self.row.thread) and not self.thread


@dataclass(frozen=True, kw_only=True)
class Known:
    """What rows are checked against. `channels`: by id, None if Postiz's list is not available.

    `overrides`: the account's own limits; `before`: earlier posts by channel id.
    """

    channels: Mapping[str, Channel] | None
    media: Mapping[str, Medium]
    overrides: Overrides = field(default_factory=dict)
    before: Mapping[str, Sequence[EarlierPost]] = field(default_factory=dict)

    def limits(self, channel: Channel) -> Limits:
        return limits_of(channel.keys, self.overrides)

    def siblings(self, identifier: str) -> list[str]:
        """The ids of all channels of a network."""
        known = (self.channels or {}).values()
        return [channel.id for channel in known if channel.identifier == identifier]

    def media_of(self, row: Row | RowPart) -> list[Medium]:
        """The media of a row's first part, or of a later one, that exist."""
        return [self.media[media_id] for media_id in row.media_ids if media_id in self.media]

    def find_number(self, media_id: str) -> int | None:
        return self.media[media_id].id if media_id in self.media else None


@dataclass(frozen=True, kw_only=True)
class CheckedRow:
    """The result of a row: its posts, or the faults because of which it has none."""

    row: Row
    posts: Sequence[PlannedPost] = ()
    faults: Sequence[FieldError] = ()


def check_rows(rows: Iterable[Row], known: Known) -> list[CheckedRow]:
    """Every row with its posts in order, or with all of its faults."""
    return [_check_row(row, known) for row in rows]


def _check_row(row: Row, known: Known) -> CheckedRow:
    if row.faults:
        return CheckedRow(row=row, faults=row.faults)
    faults = [*_media_faults(row, known), *_channel_faults(row, known)]
    media_ids = [medium.id for medium in known.media_of(row)]
    posts = [
        plan_post(row, channel, media_ids, known.find_number)
        for channel in _known_channels(row, known)
    ]
    faults += [fault for post in posts for fault in faults_of(post, known)]
    return CheckedRow(row=row, faults=faults) if faults else CheckedRow(row=row, posts=posts)


def faults_of(post: PlannedPost, known: Known) -> list[FieldError]:
    """What the network would refuse in this post, by the field names of its row."""
    texts = [part.content for part in post.thread]
    size = size_of(post.content, post.settings, len(post.all_media_ids), texts)
    if size > MAX_BYTES:
        return [_locate_fault(post, _size_fault(size))]
    if post.channel.identifier is None:
        return []
    found = find_violations(
        post.channel.identifier,
        known.limits(post.channel),
        content=post.content,
        settings=post.settings,
        media=known.media_of(post.row),
    )
    if len(post.media_ids) < len(post.row.media_ids):  # some media are unknown
        found = [fault for fault in found if fault.code not in ABOUT_MEDIA]
    limits = known.limits(post.channel)
    below = find_thread_faults(post.thread, post.channel, limits, known.media_of, post.settings)
    return [
        *(_locate_fault(post, fault) for fault in found),
        *(replace(each, field=post.row.path + each.field, row=post.row.number) for each in below),
    ]


def _size_fault(size: int) -> FieldError:
    return FieldError(
        field="caption",
        code="too_large",
        message=f"the post takes {size:,} bytes of JSON, and Postiz takes at most {MAX_BYTES:,}",
        remedy="Shorten its caption or its settings.",
    )


def _locate_fault(post: PlannedPost, fault: FieldError) -> FieldError:
    """The fault with its place in the request."""
    name, key = fault.field, post.row.caption_key(post.channel)
    if name == "caption" and key is not None:
        name = f"captions_per_platform.{key}"
    if name.startswith("settings."):
        name = post.row.place_of(name.removeprefix("settings."), post.channel)
    return replace(fault, field=post.row.path + name, row=post.row.number)


def plan_post(
    row: Row, channel: Channel, media_ids: Sequence[int], find_number: FindNumber
) -> PlannedPost:
    """`media_ids`: of the first part; `find_number`: of the media of the others."""
    content, given = row.content_for(channel), row.settings_for(channel)
    added = find_default_settings(channel.identifier, given, content)
    settings = {**given, **added}
    drops = row.drops_thread and not takes_threads(channel.identifier, settings)
    return PlannedPost(
        row=row,
        channel=channel,
        content=content,
        settings=settings,
        media_ids=list(media_ids),
        thread=() if drops else plan_parts(row.thread, channel, find_number),
        assumed=added,
    )


def _known_channels(row: Row, known: Known) -> list[Channel]:
    """The row's channels that exist, each once."""
    names = dict.fromkeys(row.integration_ids)
    if known.channels is None:
        return [Channel(id=name) for name in names]
    return [known.channels[name] for name in names if name in known.channels]


def _media_faults(row: Row, known: Known) -> Iterator[FieldError]:
    names = [(f"media_ids.{index}", name) for index, name in enumerate(row.media_ids)]
    for part in row.thread:
        names += [
            (f"{part.place}.media_ids.{index}", name) for index, name in enumerate(part.media_ids)
        ]
    for place, media_id in names:
        if media_id not in known.media:
            yield FieldError(
                field=row.path + place,
                message=f"there is no medium {media_id!r} in this profile",
                code="unknown_media",
                row=row.number,
                remedy="Upload it with this profile first, and use the id from the answer.",
            )


def _channel_faults(row: Row, known: Known) -> Iterator[FieldError]:
    if not row.integration_ids:
        yield _channel_fault(row, "", "no integration is named", "missing_integration", _NAME_ONE)
    for index, name in enumerate(row.integration_ids):
        place = f".{index}"
        channel = known.channels.get(name) if known.channels is not None else Channel(id=name)
        if channel is None:
            message = f"there is no integration {name!r} in this profile's Postiz"
            yield _channel_fault(row, place, message, "unknown_integration", _NAME_ONE)
        elif channel.disabled:
            message = f"{channel.name} ({channel.id}) is disabled in Postiz"
            yield _channel_fault(row, place, message, "integration_disabled", _CONNECT)
        if name in row.integration_ids[:index]:
            message = f"{name!r} is named twice: the post would be published twice"
            yield _channel_fault(row, place, message, "repeated_integration", "Name it once.")


_NAME_ONE = "Use an id that GET /postiz/integrations lists."
_CONNECT = "Connect it again in Postiz, or leave it out."


def _channel_fault(row: Row, place: str, message: str, code: str, remedy: str) -> FieldError:
    return FieldError(
        field=f"{row.path}integration_ids{place}",
        message=message,
        code=code,
        row=row.number,
        remedy=remedy,
    )
