"""Makes a real, small video on the spot: a changing colour, upright as networks like it."""

from fractions import Fraction
from pathlib import Path

import av

_WIDTH, _HEIGHT = 360, 640
_FRAMES_PER_SECOND = 24
_SECONDS = 4  # TikTok takes nothing under three


def make_video(path: Path, *, hue: int) -> None:
    """Writes an H.264 mp4; another `hue` (0 to 255) makes another file."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=_FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for index in range(_FRAMES_PER_SECOND * _SECONDS):
            container.mux(stream.encode(_frame(index, hue)))
        container.mux(stream.encode(None))


def _frame(index: int, hue: int) -> av.VideoFrame:
    frame = av.VideoFrame(_WIDTH, _HEIGHT, "yuv420p")
    brightness, blue, red = frame.planes
    ramp = bytes((index + row // 4) % 200 + 28 for row in range(brightness.height))
    brightness.update(b"".join(bytes([level]) * brightness.line_size for level in ramp))
    blue.update(bytes([hue]) * blue.buffer_size)
    red.update(bytes([(255 - hue + index) % 256]) * red.buffer_size)
    frame.pts, frame.time_base = index, Fraction(1, _FRAMES_PER_SECOND)
    return frame
