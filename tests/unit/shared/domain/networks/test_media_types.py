"""What a file is, by its first bytes; and what to do about those that Postiz would refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.networks.limits import IMAGE_BYTES, VIDEO_BYTES
from shared.domain.networks.media_types import (
    HEAD_BYTES,
    brand_of,
    detect_file_type,
    size_limit_message,
)
from shared.errors import UnsupportedMedia


def boxed(brand: bytes) -> bytes:
    return b"\0\0\0\x20ftyp" + brand + b"\0" * 20


ACCEPTED = [
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
    (b"GIF87a\x01\0", "image/gif"),
    (b"GIF89a\x01\0", "image/gif"),
    (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    *[(boxed(brand), "video/mp4") for brand in (b"isom", b"mp42", b"avc1", b"iso5", b"mp41")],
]
REFUSED = [
    (boxed(b"qt  "), "QuickTime"),
    (b"\0\0\0\x08wide\0\0\0\0mdat", "QuickTime"),
    (b"\0\0\x10\0moov" + b"\0" * 20, "QuickTime"),
    (boxed(b"M4V "), "M4V"),
    (boxed(b"M4VH"), "M4V"),
    (boxed(b"3gp4"), "3GP"),
    (boxed(b"3g2a"), "3GP"),
    (boxed(b"M4A "), "audio"),
    (boxed(b"avif"), "AVIF"),
    (boxed(b"avis"), "AVIF"),
    (boxed(b"heic"), "HEIC"),
    (boxed(b"mif1"), "HEIF"),
    (b"\x1a\x45\xdf\xa3" + b"\0" * 20, "WebM"),
    (b"BM\x36\0\0\0", "BMP"),
    (b"II*\0\x08\0", "TIFF"),
    (b"MM\0*\0\0", "TIFF"),
    (b"RIFF\x10\0\0\0AVI LIST", "AVI"),
    (b"RIFF\x10\0\0\0WAVEfmt ", "not an image or video"),
    (b"%PDF-1.7", "PDF"),
    (b"hello, world", "not an image or video"),
    (b"\0\0\0\x20ftyp", "not an image or video"),
    (b"", "not an image or video"),
]


@pytest.mark.parametrize(("head", "mime"), ACCEPTED)
def test_types_that_postiz_takes_are_known_by_their_bytes(head: bytes, mime: str) -> None:
    assert detect_file_type(head).mime == mime


@pytest.mark.parametrize(("head", "name"), REFUSED)
def test_a_refusal_names_the_type_and_says_what_postiz_takes(head: bytes, name: str) -> None:
    with pytest.raises(UnsupportedMedia) as refusal:
        detect_file_type(head)
    assert name in refusal.value.message
    assert "Postiz takes" in refusal.value.message


def test_a_quicktime_movie_comes_with_the_command_that_converts_it() -> None:
    with pytest.raises(UnsupportedMedia, match=r"ffmpeg -i in\.mov -c copy out\.mp4"):
        detect_file_type(boxed(b"qt  "))


@given(st.binary(max_size=64))
def test_any_bytes_are_either_known_or_refused(head: bytes) -> None:
    try:
        assert detect_file_type(head).limit in {IMAGE_BYTES, VIDEO_BYTES}
    except UnsupportedMedia as refusal:
        assert refusal.message


@given(st.sampled_from(ACCEPTED), st.binary(max_size=64))
def test_what_follows_the_head_changes_nothing(known: tuple[bytes, str], tail: bytes) -> None:
    head, mime = known
    assert detect_file_type((head.ljust(HEAD_BYTES, b"\0") + tail)[: HEAD_BYTES + 8]).mime == mime


def test_each_kind_names_its_limit() -> None:
    refused = "Postiz refuses larger ones"
    image, video = detect_file_type(ACCEPTED[0][0]), detect_file_type(boxed(b"isom"))
    assert size_limit_message(image) == f"An image may have at most 10 MiB: {refused}"
    assert size_limit_message(video) == f"A video may have at most 1 GiB: {refused}"
    assert (image.limit, video.limit) == (IMAGE_BYTES, VIDEO_BYTES)
    assert detect_file_type(b"RIFF\x10\0\0\0WEBPVP8 ").limit == IMAGE_BYTES


@pytest.mark.parametrize(
    ("head", "brand"),
    [
        (boxed(b"isom"), "isom"),
        (boxed(b"qt  "), "qt"),
        (boxed(b"\xe9\xe9\xe9\xe9"), None),
        (boxed(b"\0\0\0\1"), None),
        (b"\0\0\0\x20moovisom", None),
    ],
)
def test_a_container_tells_its_brand(head: bytes, brand: str | None) -> None:
    assert brand_of(head) == brand
