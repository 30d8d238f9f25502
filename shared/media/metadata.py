"""The metadata of a stored file, as far as PyAV can read it: for planning, and for people.

It never decides whether a file is accepted: a file with unreadable metadata is still published.
"""

import io
import time
from dataclasses import dataclass, replace
from typing import BinaryIO

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

#: The demuxer for each accepted type, so that no demuxer is chosen by the content.
_FORMATS = {
    "image/jpeg": "jpeg_pipe",
    "image/png": "png_pipe",
    "image/gif": "gif",
    "image/webp": "webp_pipe",
    "video/mp4": "mov",
}
#: An image must be decoded to get its size; larger ones than this (160 MB) are not decoded.
_PIXELS = 40_000_000
_OPTIONS = {"max_pixels": str(_PIXELS), "probesize": "1000000", "analyzeduration": "1000000"}
#: The most that is read of a file, and the most time for it (bytes, seconds).
_READ = 64 * 1024**2
_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """`width` and `height` as shown, `duration` in seconds, for videos only. None: unknown."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None
    codec: str | None = None


def read_facts(file: BinaryIO, *, mime: str) -> Facts:
    """Never raises because of the file's content."""
    limited = _LimitedFile(file)
    try:
        with av.open(limited, mode="r", format=_FORMATS[mime], options=_OPTIONS) as container:
            return _facts_of(container, is_video=mime.startswith("video/"))
    except (FFmpegError, ValueError, OverflowError):
        return Facts()


class _LimitedFile(io.RawIOBase):
    """A file that ends once enough of it was read, or enough time has passed."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._left = _READ
        self._until = time.monotonic() + _SECONDS

    def read(self, size: int = -1) -> bytes:
        if self._left <= 0 or time.monotonic() > self._until:
            return b""
        data = self._file.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _facts_of(container: InputContainer, *, is_video: bool) -> Facts:
    seconds = container.duration / av.time_base if is_video and container.duration else None
    # the cover of a song or a film is a stream of its own
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        return Facts(duration=seconds)
    context: VideoCodecContext | None = streams[0].codec_context
    if context is None or not context.width or not context.height:
        return Facts(duration=seconds)  # damaged, unusual, or too large to decode
    context.thread_count = 1
    facts = Facts(
        width=context.width,
        height=context.height,
        duration=seconds,
        codec=context.codec.canonical_name,
    )
    return _swap_sides(facts) if is_video and _is_rotated(container, streams[0]) else facts


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _swap_sides(facts: Facts) -> Facts:
    return replace(facts, width=facts.height, height=facts.width)


def _is_rotated(container: InputContainer, stream: VideoStream) -> bool:
    """Phones store upright videos sideways with a rotation, which only a frame shows."""
    try:
        frame = next(container.decode(stream), None)
    except FFmpegError:
        return False
    return frame is not None and abs(frame.rotation) % 180 == 90
