"""Real files, made on the spot."""

import io
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import av

Codec = Literal["mpeg4", "libx264"]


@dataclass
class Files:
    """Each is made once."""

    made: dict[str, bytes] = field(default_factory=dict)

    def mp4(self, shade: int = 0, codec: Codec = "mpeg4") -> bytes:
        """`codec`: libx264 for one that browsers play."""
        return self.made.setdefault(f"mp4-{shade}-{codec}", _mp4(shade, codec))

    def png(self, shade: int = 0) -> bytes:
        return self.made.setdefault(f"png-{shade}", _png(shade))


def _mp4(shade: int, codec: Codec) -> bytes:
    target = io.BytesIO()
    with av.open(target, mode="w", format="mp4") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 96, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame(64, 96, "rgb24")
            for plane in frame.planes:
                plane.update(bytes([(shade + number) % 256]) * plane.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def _png(shade: int) -> bytes:
    frame = av.VideoFrame(8, 6, "rgb24")
    for plane in frame.planes:
        plane.update(bytes([shade % 256]) * plane.buffer_size)
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt = 8, 6, "rgb24"
    codec.time_base = Fraction(1)
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


FILES = Files()
