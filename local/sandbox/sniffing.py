"""What kind of file an upload is, told from its first bytes alone, and how large it may be."""

from dataclasses import dataclass

HEAD_BYTES = 64
IMAGE_LIMIT = 10 * 1024 * 1024
VIDEO_LIMIT = 1024 * 1024 * 1024

_FOREIGN_BRANDS = ("qt", "M4V", "M4A", "M4B", "M4P", "3g", "F4", "crx")
_STILL_BRANDS = ("heic", "heix", "hevc", "hevx", "mif1", "msf1")


@dataclass(frozen=True)
class Kind:
    extension: str
    mime: str

    @property
    def limit(self) -> int:
        return VIDEO_LIMIT if self.extension == "mp4" else IMAGE_LIMIT


_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", Kind("png", "image/png")),
    (b"\xff\xd8\xff", Kind("jpg", "image/jpeg")),
    (b"GIF8", Kind("gif", "image/gif")),
    (b"BM", Kind("bmp", "image/bmp")),
    (b"II*\x00", Kind("tif", "image/tiff")),
    (b"MM\x00*", Kind("tif", "image/tiff")),
)


def sniff(head: bytes) -> Kind | None:
    """The kind of a file that begins with `head`, or None where Postiz takes it for nothing."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind("webp", "image/webp")
    return _boxed(head) if head[4:8] == b"ftyp" else None


def _boxed(head: bytes) -> Kind | None:
    brand = head[8:12].decode("latin-1")
    if brand in ("avif", "avis"):
        return Kind("avif", "image/avif")
    if brand.startswith(_FOREIGN_BRANDS) or brand in _STILL_BRANDS or len(brand) < 4:
        return None
    return Kind("mp4", "video/mp4")
