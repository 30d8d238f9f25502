"""The parts of a thread that come after the first: as a request has them, and as they are sent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.domain.networks.channel import Channel
from shared.domain.networks.limits import Limits
from shared.domain.networks.medium import Medium
from shared.domain.networks.post_rules import find_part_violations
from shared.domain.networks.thread_support import explain_no_threads, takes_threads
from shared.errors import FieldError

#: Faults that may be due to media that are not known.
ABOUT_MEDIA = frozenset({"media_refused", "empty_post"})


@dataclass(frozen=True, kw_only=True)
class RowPart:
    """A part as the request has it; `place`: where, such as `thread.0` or `first_comment`."""

    place: str
    caption: str = ""
    captions: Mapping[str, str] = field(default_factory=dict)
    media_ids: Sequence[str] = ()
    delay_minutes: int = 0

    def caption_key(self, channel: Channel) -> str | None:
        """The key in `captions` for `channel`, or None."""
        return next((key for key in channel.keys if key in self.captions), None)

    def place_of(self, name: str, channel: Channel) -> str:
        """Where in the request its `caption` or `media_ids` for this channel is."""
        if self.place == "first_comment":
            return self.place
        key = self.caption_key(channel) if name == "caption" else None
        return f"{self.place}.{name if key is None else f'captions_per_platform.{key}'}"


@dataclass(frozen=True, kw_only=True)
class PlannedPart:
    """A part for one channel. `media_ids`: those of the row's that are known."""

    part: RowPart
    content: str
    media_ids: list[int]

    def as_json(self) -> dict[str, Any]:
        """As it is stored: `shared.models.Post.thread`."""
        return {
            "content": self.content,
            "media_ids": self.media_ids,
            "delay_minutes": self.part.delay_minutes,
        }


#: The number of a medium by the id that the request has for it; None if it is not known.
FindNumber = Callable[[str], int | None]


def plan_parts(
    parts: Sequence[RowPart], channel: Channel, find_number: FindNumber
) -> list[PlannedPart]:
    return [_plan_part(part, channel, find_number) for part in parts]


def _plan_part(part: RowPart, channel: Channel, find_number: FindNumber) -> PlannedPart:
    key = part.caption_key(channel)
    numbers = [find_number(name) for name in part.media_ids]
    return PlannedPart(
        part=part,
        content=part.caption if key is None else part.captions[key],
        media_ids=[number for number in numbers if number is not None],
    )


def saved_parts(thread: Sequence[Mapping[str, Any]]) -> list[RowPart]:
    """Parts as they are stored, as a request would have them."""
    return [
        RowPart(
            place=f"thread.{index}",
            caption=part["content"],
            media_ids=[str(media_id) for media_id in part["media_ids"]],
            delay_minutes=part["delay_minutes"],
        )
        for index, part in enumerate(thread)
    ]


def find_thread_faults(
    thread: Sequence[PlannedPart],
    channel: Channel,
    limits: Limits,
    find_media: Callable[[RowPart], Sequence[Medium]],
    settings: Mapping[str, Any],
) -> Iterator[FieldError]:
    """What the network would refuse in the parts, by the names of the row's fields.

    For a channel whose network is known. `find_media`: the media of a part that are known.
    `settings`: of the post.
    """
    assert channel.identifier is not None
    if thread and not takes_threads(channel.identifier, settings):
        reason = explain_no_threads(channel.identifier, settings)
        yield _not_supported_fault(thread[0].part, channel, reason)
        return
    for planned in thread:
        media = find_media(planned.part)
        is_whole = len(media) == len(planned.part.media_ids)
        for fault in find_part_violations(
            channel.identifier, limits, content=planned.content, media=media
        ):
            if is_whole or fault.code not in ABOUT_MEDIA:
                yield replace(fault, field=planned.part.place_of(fault.field, channel))


def _not_supported_fault(first: RowPart, channel: Channel, reason: str) -> FieldError:
    return FieldError(
        field=first.place.partition(".")[0],
        message=f"{reason}: {channel.name or channel.id} would show the first part alone",
        code="thread_not_supported",
        remedy='Leave the thread out for this integration, or give "thread_policy":'
        ' "where_supported".',
    )
