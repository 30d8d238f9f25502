"""What a file tells of itself, and that no file makes reading it fail, hang or grow."""

import io
import resource
import struct
import zlib

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.networks.media_types import brand_of
from shared.media.metadata import Facts, read_facts, read_thumbnail
from shared.media.metadata_reader import read_metadata
from tests.factories.files import FILES

MP4, PNG = "video/mp4", "image/png"


def facts(content: bytes, mime: str = MP4) -> Facts:
    return read_facts(io.BytesIO(content), mime=mime)


def made(
    codec: str, container: str, *, degrees: int = 0, pixels: str = "yuv420p", bright: int = 0
) -> bytes:
    """`bright`: of so many points on a side is a bright square in the left upper corner."""
    picture = av.VideoFrame(96, 64, "gray")
    row = b"\xff" * bright + bytes(96 - bright)
    stride = picture.planes[0].line_size
    lines = [row if y < bright else bytes(96) for y in range(64)]
    picture.planes[0].update(b"".join(line.ljust(stride, b"\0") for line in lines))
    target = io.BytesIO()
    with av.open(target, mode="w", format=container) as file:
        stream = file.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        if degrees:
            stream.set_display_rotation(degrees)
        for _ in range(5 if container == "mp4" else 1):
            file.mux(stream.encode(picture.reformat(format=pixels)))
        file.mux(stream.encode(None))
    return target.getvalue()


def black_png(width: int, height: int) -> bytes:
    """Few bytes, many pixels."""
    row, packer = b"\0" * (1 + width), zlib.compressobj()
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_video_tells_its_size_duration_and_codec() -> None:
    assert facts(FILES.mp4()) == Facts(width=64, height=96, duration=2.0, codec="mpeg4")
    assert facts(made("libx264", "mp4")).codec == "h264"


@pytest.mark.parametrize(
    ("degrees", "size"), [(0, (96, 64)), (90, (64, 96)), (-90, (64, 96)), (180, (96, 64))]
)
def test_a_video_that_lies_on_its_side_is_as_large_as_it_is_shown(
    degrees: int, size: tuple[int, int]
) -> None:
    found = facts(made("libx264", "mp4", degrees=degrees))
    assert (found.width, found.height) == size


@pytest.mark.parametrize(
    ("degrees", "corner"), [(0, (0, 0)), (90, (0, 1)), (-90, (1, 0)), (180, (1, 1))]
)
def test_a_thumbnail_is_upright(degrees: int, corner: tuple[int, int]) -> None:
    """Where the bright corner of a film that lies on its side is to be seen."""
    film = made("libx264", "mp4", degrees=degrees, bright=20)
    small = read_thumbnail(io.BytesIO(film), mime=MP4)
    with av.open(io.BytesIO(small), mode="r", format="jpeg_pipe") as file:
        frame = next(file.decode(video=0))
    gray = frame.reformat(format="gray")
    points, width = bytes(gray.planes[0]), gray.planes[0].line_size
    assert (gray.width, gray.height) == ((64, 96) if abs(degrees) == 90 else (96, 64))
    bright = {
        (right, low)
        for right in (0, 1)
        for low in (0, 1)
        if points[(5 + low * (gray.height - 11)) * width + 5 + right * (gray.width - 11)] > 128
    }
    assert bright == {corner}


def test_a_thumbnail_has_at_most_320_pixels_on_a_side() -> None:
    small = read_thumbnail(io.BytesIO(black_png(900, 300)), mime=PNG)
    assert (facts(small, "image/jpeg").width, facts(small, "image/jpeg").height) == (320, 107)
    assert facts(read_thumbnail(io.BytesIO(FILES.png()), mime=PNG), "image/jpeg").width == 8


@pytest.mark.parametrize(
    ("codec", "container", "pixels", "mime"),
    [
        ("mjpeg", "mjpeg", "yuvj420p", "image/jpeg"),
        ("libwebp", "webp", "yuv420p", "image/webp"),
        ("gif", "gif", "rgb8", "image/gif"),
    ],
)
def test_images_tell_their_size_and_have_no_duration(
    codec: str, container: str, pixels: str, mime: str
) -> None:
    found = facts(made(codec, container, pixels=pixels), mime)
    assert (found.width, found.height, found.duration) == (96, 64, None)
    assert facts(FILES.png(), PNG) == Facts(width=8, height=6, codec="png")


def test_a_picture_of_too_many_pixels_is_not_unpacked() -> None:
    bomb = black_png(12_000, 4_000)  # 48 MB of pixels
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = facts(bomb, PNG)
    assert (found.width, found.height) == (None, None)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x18ftypisom" + b"x" * 5000])
def test_what_cannot_be_read_has_no_facts(content: bytes) -> None:
    assert facts(content) == Facts()
    assert facts(content, PNG) == Facts()


def test_a_film_that_ends_before_its_index_has_no_facts() -> None:
    whole = FILES.mp4()
    assert facts(whole[: len(whole) // 2]) == Facts()


def test_a_file_without_end_is_left_after_a_while() -> None:
    class Endless(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            self.taken += size
            return b"\0\0\x10\0free" + b"\0" * max(0, size - 8)

    endless = Endless()
    assert read_facts(endless, mime=MP4) == Facts()
    assert endless.taken <= 65 * 1024**2


@given(
    edits=st.lists(
        st.tuples(st.booleans(), st.integers(0, 1199), st.binary(min_size=1, max_size=8)),
        max_size=12,
    )
)
@settings(max_examples=60)
def test_no_damage_makes_reading_fail(edits: list[tuple[bool, int, bytes]]) -> None:
    """Most of it in the index, which stands at the end."""
    content = bytearray(FILES.mp4())
    for at_end, place, data in edits:
        start = len(content) - 1 - place if at_end else place
        content[start : start + len(data)] = data
    found = read_metadata(io.BytesIO(content), MP4)  # here: starting a process takes longer
    Facts.model_validate(found)


@pytest.mark.parametrize(
    ("head", "brand"),
    [
        (FILES.mp4()[:32], "isom"),
        (b"\0\0\0\x18ftypmp42", "mp42"),
        (b"\0\0\0\x18ftypa\0b\x01", None),
        (b"\0\0\0\x18ftyp\xe9\xe9\xe9\xe9", None),
        (FILES.png()[:32], None),
    ],
)
def test_the_brand_is_the_containers_if_it_is_one(head: bytes, brand: str | None) -> None:
    assert brand_of(head) == brand
