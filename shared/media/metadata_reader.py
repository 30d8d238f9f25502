"""A process of its own that reads one file, with little memory, time and rights.

`python metadata_reader.py SOCKET TYPE SIZE WANTED` asks the process that started it for parts of
the file over the socket SOCKET, and ends with what it found: with `metadata` as WANTED JSON, with
`thumbnail` a JPEG. It imports nothing of Pressroom, so that it holds no secret and no connection;
and it alone imports PyAV, whose decoders are written in C.

Each request is two numbers of 8 bytes, a place in the file and how many bytes are wanted from it;
the answer is their number and the bytes. A place of -1 says that so many bytes of what was found
follow, and that it was the last.
"""

import io
import json
import resource
import socket
import struct
import sys
from fractions import Fraction
from typing import Any

REQUEST = struct.Struct("!qq")
ANSWER = struct.Struct("!q")
#: The most memory (address space, bytes) and processor time (seconds) that a file gets. A picture
#: of 40 million pixels takes 0.4 GB.
MEMORY = 640 * 1024**2
CPU_SECONDS = 10
#: The demuxer for each accepted type, so that no demuxer is chosen by the content.
FORMATS = {
    "image/jpeg": "jpeg_pipe",
    "image/png": "png_pipe",
    "image/gif": "gif",
    "image/webp": "webp_pipe",
    "video/mp4": "mov",
}
#: An image must be decoded to get its size; larger ones than this (160 MB) are not decoded.
_PIXELS = 40_000_000
#: The longer side of a thumbnail (pixels), and how coarse its JPEG is (1 to 31).
THUMBNAIL_SIDE = 320
_COARSENESS = 4
METADATA, THUMBNAIL = "metadata", "thumbnail"
#: By the rotation with which a picture is shown (degrees, counterclockwise).
_TURNS = {90: ("cclock",), -90: ("clock",), 180: ("clock",) * 2, -180: ("clock",) * 2}
_OPTIONS = {"max_pixels": str(_PIXELS), "probesize": "1000000", "analyzeduration": "1000000"}


def main() -> None:
    _limit_resources()
    handle, mime, size, wanted = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    with socket.socket(fileno=handle) as parent:
        file = RemoteFile(parent, size)
        if wanted == THUMBNAIL:
            found = make_thumbnail(file, mime)
        else:
            found = json.dumps(read_metadata(file, mime)).encode()
        parent.sendall(REQUEST.pack(-1, len(found)) + found)


def _limit_resources() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class RemoteFile(io.RawIOBase):
    """The file, as the other end of the socket lets it be read."""

    def __init__(self, parent: socket.socket, size: int) -> None:
        super().__init__()
        self._parent = parent
        self._size = size
        self._place = 0

    def read(self, size: int = -1) -> bytes:
        wanted = size if size >= 0 else self._size - self._place
        self._parent.sendall(REQUEST.pack(self._place, wanted))
        [length] = ANSWER.unpack(self._receive(ANSWER.size))
        self._place += length
        return self._receive(length)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def _receive(self, length: int) -> bytes:
        pieces = bytearray()
        while len(pieces) < length:
            piece = self._parent.recv(length - len(pieces))
            if not piece:
                raise EOFError("the process that asked has gone")
            pieces += piece
        return bytes(pieces)


def read_metadata(file: Any, mime: str) -> dict[str, Any]:
    """`width`, `height`, `duration` and `codec`, as far as they are known."""
    import av  # noqa: PLC0415 - within the limits; and nobody else is to import it

    try:
        with av.open(file, mode="r", format=FORMATS[mime], options=_OPTIONS) as container:
            return _metadata_of(container, is_video=mime.startswith("video/"))
    except (av.error.FFmpegError, ValueError, OverflowError, MemoryError):
        return {}


def _metadata_of(container: Any, *, is_video: bool) -> dict[str, Any]:
    import av  # noqa: PLC0415

    duration = container.duration / av.time_base if is_video and container.duration else None
    streams = _picture_streams(container)
    context = streams[0].codec_context if streams else None
    if context is None or not context.width or not context.height:
        return {"duration": duration}  # damaged, unusual, or too large to decode
    context.thread_count = 1
    codec, sides = context.codec.canonical_name, (context.width, context.height)
    width, height = reversed(sides) if is_video and _is_rotated(container, streams[0]) else sides
    return {"width": width, "height": height, "duration": duration, "codec": codec}


def _picture_streams(container: Any) -> list[Any]:
    """The cover of a song or a film is a stream of its own, and not among them."""
    import av  # noqa: PLC0415

    cover = av.stream.Disposition.attached_pic
    return [each for each in container.streams.video if not each.disposition & cover]


def _is_rotated(container: Any, stream: Any) -> bool:
    """Phones store upright videos sideways with a rotation, which only a frame shows."""
    import av  # noqa: PLC0415

    try:
        frame = next(container.decode(stream), None)
    except av.error.FFmpegError:
        return False
    return frame is not None and abs(frame.rotation) % 180 == 90


def make_thumbnail(file: Any, mime: str) -> bytes:
    """A JPEG of the first picture, upright; empty if there is none that can be decoded."""
    import av  # noqa: PLC0415

    try:
        with av.open(file, mode="r", format=FORMATS[mime], options=_OPTIONS) as container:
            [stream] = _picture_streams(container)[:1]
            stream.codec_context.thread_count = 1
            frame = next(container.decode(stream))
            shrink = min(1.0, THUMBNAIL_SIDE / max(frame.width, frame.height))
            width, height = (max(1, round(side * shrink)) for side in (frame.width, frame.height))
            small = frame.reformat(width=width, height=height, format="yuvj420p")
            for turn in _TURNS.get(frame.rotation, ()):
                small = _turn_frame(small, turn)
            return _encode_jpeg(small)
    except (av.error.FFmpegError, ValueError, OverflowError, MemoryError, StopIteration):
        return b""


def _turn_frame(frame: Any, turn: str) -> Any:
    import av  # noqa: PLC0415

    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1)
    )
    turned, sink = graph.add("transpose", turn), graph.add("buffersink")
    source.link_to(turned)
    turned.link_to(sink)
    graph.configure()
    graph.push(frame)
    return graph.pull()


def _encode_jpeg(frame: Any) -> bytes:
    import av  # noqa: PLC0415

    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base, frame.pts = Fraction(1), 0
    encoder.qmin = encoder.qmax = _COARSENESS
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


if __name__ == "__main__":
    main()
