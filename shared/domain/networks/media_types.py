"""The type of a file by its first bytes: the types that Postiz takes, and advice for the others.

Which types Postiz takes, and how large, is in docs/POSTIZ.md, "Media". The file's name and its
declared type are ignored.
"""

from dataclasses import dataclass

from shared.domain.networks.limits import IMAGE_BYTES, VIDEO_BYTES
from shared.errors import UnsupportedMedia

#: How many bytes from the start of a file are needed to detect its type.
HEAD_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class FileType:
    """A type that Postiz takes; `limit` in bytes."""

    mime: str
    limit: int

    @property
    def is_video(self) -> bool:
        return self.mime.startswith("video/")


def _image_type(mime: str) -> FileType:
    return FileType(mime=mime, limit=IMAGE_BYTES)


MP4 = FileType(mime="video/mp4", limit=VIDEO_BYTES)

_ACCEPTED = (
    (b"\xff\xd8\xff", _image_type("image/jpeg")),
    (b"\x89PNG\r\n\x1a\n", _image_type("image/png")),
    (b"GIF87a", _image_type("image/gif")),
    (b"GIF89a", _image_type("image/gif")),
)
_WEBP = _image_type("image/webp")
#: What Postiz takes, by MIME type.
ACCEPTED_TYPES = {kind.mime: kind for kind in (*(kind for _, kind in _ACCEPTED), _WEBP, MP4)}

_CONVERT_VIDEO = "Postiz takes MP4: convert it, for example with ffmpeg -i IN -c copy out.mp4"
_ENCODE_VIDEO = "Postiz takes MP4: convert it, for example with ffmpeg -i IN out.mp4"
_CONVERT_IMAGE = "Postiz takes JPEG, PNG, GIF and WebP: save it as one of these"

_MOV = f"This is a QuickTime movie (.mov). {_CONVERT_VIDEO.replace('IN', 'in.mov')}"
_REFUSED = (
    (b"\x1a\x45\xdf\xa3", f"This is a WebM or Matroska video. {_ENCODE_VIDEO}"),
    (b"OggS", f"This is an Ogg file. {_ENCODE_VIDEO}"),
    (b"FLV", f"This is a Flash video. {_ENCODE_VIDEO}"),
    (b"BM", f"This is a BMP image. {_CONVERT_IMAGE}"),
    (b"II*\x00", f"This is a TIFF image. {_CONVERT_IMAGE}"),
    (b"MM\x00*", f"This is a TIFF image. {_CONVERT_IMAGE}"),
    (b"%PDF", f"This is a PDF. {_CONVERT_IMAGE}"),
)
_REFUSED_BRANDS = (
    ("qt", _MOV),
    ("M4V", f"This is an M4V video. {_CONVERT_VIDEO}"),
    ("3g", f"This is a 3GP video. {_CONVERT_VIDEO}"),
    ("F4", f"This is a Flash MP4 video. {_CONVERT_VIDEO}"),
    ("M4", "This is an audio file (.m4a). Postiz takes images and MP4 videos"),
    ("avi", f"This is an AVIF image. {_CONVERT_IMAGE}"),
    ("hei", f"This is a HEIC image. {_CONVERT_IMAGE}"),
    ("hev", f"This is a HEIC image. {_CONVERT_IMAGE}"),
    ("mif1", f"This is a HEIF image. {_CONVERT_IMAGE}"),
    ("msf1", f"This is a HEIF image. {_CONVERT_IMAGE}"),
    ("crx", f"This is a camera raw image. {_CONVERT_IMAGE}"),
)
#: Older QuickTime movies have no `ftyp` box; they start with one of these.
_BARE_MOVIE_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip")
_UNKNOWN = (
    "This is not an image or video that Postiz takes: JPEG, PNG, GIF, WebP (10 MiB) or MP4 (1 GiB)"
)


def detect_file_type(head: bytes) -> FileType:
    """The type of a file that starts with `head`. Raises `UnsupportedMedia` with advice."""
    for magic, accepted in _ACCEPTED:
        if head.startswith(magic):
            return accepted
    if head[:4] == b"RIFF":
        return _detect_riff_type(head)
    if head[4:8] == b"ftyp":
        return _detect_movie_type(head[8:12].decode("latin-1"))
    raise UnsupportedMedia(_refusal_advice(head))


def brand_of(head: bytes) -> str | None:
    """The brand of an MP4's container, such as `isom`; None for other files, or if unreadable."""
    brand = head[8:12].decode("latin-1").strip()
    return brand if head[4:8] == b"ftyp" and brand.isascii() and brand.isprintable() else None


def _detect_riff_type(head: bytes) -> FileType:
    if head[8:12] == b"WEBP":
        return _WEBP
    if head[8:12] == b"AVI ":
        raise UnsupportedMedia(f"This is an AVI video. {_ENCODE_VIDEO}")
    raise UnsupportedMedia(_UNKNOWN)


def _detect_movie_type(brand: str) -> FileType:
    for refused, advice in _REFUSED_BRANDS:
        if brand.startswith(refused):
            raise UnsupportedMedia(advice)
    if len(brand) < 4:
        raise UnsupportedMedia(_UNKNOWN)
    return MP4


def _refusal_advice(head: bytes) -> str:
    if head[4:8] in _BARE_MOVIE_BOXES:
        return _MOV
    return next((advice for magic, advice in _REFUSED if head.startswith(magic)), _UNKNOWN)


def size_limit_message(kind: FileType) -> str:
    """The message for a file that exceeds its limit."""
    subject, limit = ("A video", "1 GiB") if kind.is_video else ("An image", "10 MiB")
    return f"{subject} may have at most {limit}: Postiz refuses larger ones"
