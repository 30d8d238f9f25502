"""Width, height and duration of a stored file, as far as PyAV can read them."""

from dataclasses import dataclass
from typing import BinaryIO

import av
from av.container import InputContainer
from av.error import FFmpegError


@dataclass(frozen=True, kw_only=True)
class Facts:
    """`duration` in seconds, of videos only. None: not to be read from this file."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None


def read_facts(file: BinaryIO, *, is_video: bool) -> Facts:
    """Facts are for planning and for people: a file that hides them is still published."""
    try:
        with av.open(file, mode="r") as container:
            return _facts_of(container, is_video=is_video)
    except (FFmpegError, ValueError, OverflowError):
        return Facts()


def _facts_of(container: InputContainer, *, is_video: bool) -> Facts:
    streams = container.streams.video
    seconds = container.duration / av.time_base if is_video and container.duration else None
    if not streams:
        return Facts(duration=seconds)
    # a picture of no size is one whose header told nothing
    return Facts(width=streams[0].width or None, height=streams[0].height or None, duration=seconds)
