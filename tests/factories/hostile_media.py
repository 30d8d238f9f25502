"""Files that are made to harm whoever reads them: small ones that grow, lie, or have no end."""

import struct
import zlib

from tests.factories.files import FILES

MP4, PNG, GIF, JPEG, WEBP = "video/mp4", "image/png", "image/gif", "image/jpeg", "image/webp"


def box(name: bytes, content: bytes, *, size: int | None = None) -> bytes:
    """Of an MP4; `size`: what it says instead of the truth."""
    return struct.pack(">I", len(content) + 8 if size is None else size) + name + content


def full_box(name: bytes, content: bytes) -> bytes:
    return box(name, b"\0\0\0\0" + content)


FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def film_of(samples: int, *, width: int = 64, height: int = 64) -> bytes:
    """A few hundred bytes whose index says that there are so many pictures, of one byte each."""
    entry = b"\0" * 6 + struct.pack(">H", 1) + b"\0" * 16 + struct.pack(">HH", width, height)
    entry += struct.pack(">IIIH", 0x480000, 0x480000, 0, 1) + b"\0" * 32 + b"\0\x18\xff\xff"
    table = b"".join(
        [
            full_box(b"stsd", struct.pack(">I", 1) + box(b"mp4v", entry)),
            full_box(b"stts", struct.pack(">III", 1, samples, 1)),
            full_box(b"stsc", struct.pack(">IIII", 1, 1, samples, 1)),
            full_box(b"stsz", struct.pack(">II", 1, samples)),
            full_box(b"stco", struct.pack(">II", 1, 40)),
        ]
    )
    media = b"".join(
        [
            full_box(b"mdhd", struct.pack(">IIIIHH", 0, 0, 1000, samples, 0x55C4, 0)),
            full_box(b"hdlr", b"\0\0\0\0vide" + b"\0" * 13),
            box(b"minf", full_box(b"vmhd", b"\0" * 8) + box(b"stbl", table)),
        ]
    )
    track = full_box(
        b"tkhd",
        struct.pack(">IIIII", 0, 0, 1, 0, samples)
        + b"\0" * 16
        + _MATRIX
        + struct.pack(">II", width << 16, height << 16),
    )
    head = full_box(b"mvhd", struct.pack(">IIII", 0, 0, 1000, samples) + b"\0" * 80)
    return FTYP + box(b"moov", head + box(b"trak", track + box(b"mdia", media)))


def nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = box(b"moov", content)
    return FTYP + content


def png(width: int, height: int, packed: bytes, *, color: int = 0) -> bytes:
    """`color`: 0 for grey, 6 for colours and transparency."""
    head = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def gif(width: int, height: int) -> bytes:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF0, 0, 0) + b"\0" * 6 + frame + b";"


#: What each is called, and its type and content.
CORPUS: dict[str, tuple[str, bytes]] = {
    "a film of fifty million pictures": (MP4, film_of(50_000_000)),
    "a film of four milliards": (MP4, film_of(2**32 - 1)),
    "a film without a picture": (MP4, film_of(0)),
    "a film as large as a town": (MP4, film_of(10, width=65_535, height=65_535)),
    "boxes in boxes": (MP4, nested(20_000)),
    "a box of no size, without end": (MP4, FTYP + box(b"free", b"", size=0) * 10_000),
    "a box that is longer than the file": (MP4, FTYP + box(b"moov", b"\0" * 64, size=2**31)),
    "a thousand films in one": (MP4, FTYP + film_of(10)[len(FTYP) :] * 1000),
    "half a film": (MP4, FILES.mp4()[: len(FILES.mp4()) // 2]),
    "a film that is called a picture": (PNG, FILES.mp4()),
    "a picture of two milliards of points": (PNG, png(50_000, 40_000, zlib.compress(b""))),
    "a picture that unpacks without end": (
        PNG,
        png(8000, 5000, zlib.compress(b"\0" * 64 * 1024**2, 9)),
    ),
    "a picture that says less than it holds": (PNG, png(1, 1, zlib.compress(b"\0" * 10_000_000))),
    "a picture of nothing": (PNG, b"\x89PNG\r\n\x1a\n"),
    "a moving picture of four milliards of points": (GIF, gif(65_535, 65_535)),
    "a photograph that is only a head": (JPEG, b"\xff\xd8\xff\xe0" + b"\xff\xc0" * 5000),
    "a photograph of no kind": (WEBP, b"RIFF\xff\xff\xff\xffWEBPVP8 " + b"\xff" * 4096),
    "zeros": (MP4, FTYP + b"\0" * 1_000_000),
}
