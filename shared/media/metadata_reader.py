"""A process of its own that reads the metadata of one file, with little memory, time and rights.

`python metadata_reader.py SOCKET TYPE SIZE` asks the process that started it for parts of the file
over the socket SOCKET, and ends with what it found. It imports nothing of Pressroom, so that it
holds no secret and no connection; and it alone imports PyAV, whose decoders are written in C.

Each request is two numbers of 8 bytes, a place in the file and how many bytes are wanted from it;
the answer is their number and the bytes. A place of -1 says that so many bytes of JSON follow, and
that it was the last.
"""

import io
import json
import resource
import socket
import struct
import sys
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
_OPTIONS = {"max_pixels": str(_PIXELS), "probesize": "1000000", "analyzeduration": "1000000"}


def main() -> None:
    _limit_resources()
    handle, mime, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    with socket.socket(fileno=handle) as parent:
        found = json.dumps(read_metadata(RemoteFile(parent, size), mime)).encode()
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
    # the cover of a song or a film is a stream of its own
    cover = av.stream.Disposition.attached_pic
    streams = [each for each in container.streams.video if not each.disposition & cover]
    context = streams[0].codec_context if streams else None
    if context is None or not context.width or not context.height:
        return {"duration": duration}  # damaged, unusual, or too large to decode
    context.thread_count = 1
    codec, sides = context.codec.canonical_name, (context.width, context.height)
    width, height = reversed(sides) if is_video and _is_rotated(container, streams[0]) else sides
    return {"width": width, "height": height, "duration": duration, "codec": codec}


def _is_rotated(container: Any, stream: Any) -> bool:
    """Phones store upright videos sideways with a rotation, which only a frame shows."""
    import av  # noqa: PLC0415

    try:
        frame = next(container.decode(stream), None)
    except av.error.FFmpegError:
        return False
    return frame is not None and abs(frame.rotation) % 180 == 90


if __name__ == "__main__":
    main()
