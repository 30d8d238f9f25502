"""The style and the scripts of the pages, which anybody may read."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from flask import Blueprint, Response

from shared.crypto import hash_secret
from shared.errors import NotFound
from web.people.page_blueprint import create_page_blueprint

_HERE = Path(__file__).parent / "static"
_MEDIA_TYPES: Mapping[str, str] = {".css": "text/css", ".js": "text/javascript"}
_PATH = "/static/"
_COMMENTS = re.compile(r"^\s*/\*.*?\*/$", re.MULTILINE | re.DOTALL)

pages: Blueprint = create_page_blueprint("static_files")


@cache
def _read_files() -> Mapping[str, str]:
    return {
        path.name: _shorten_text(path.read_text(encoding="utf-8"))
        for path in sorted(_HERE.iterdir())
        if path.suffix in _MEDIA_TYPES
    }


def _shorten_text(text: str) -> str:
    """Without indents and lines of comments, which are for who reads the source."""
    lines = (line.strip() for line in _COMMENTS.sub("", text).splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


@cache
def _version() -> str:
    return hash_secret("\0".join(_read_files().values()))[:16]


def addresses() -> Mapping[str, str]:
    """By the files' names. With the version of them all in their folder: a browser keeps them until
    one changes, and what a script imports from beside it is of the same version.
    """
    return {name: f"{_PATH}{_version()}/{name}" for name in _read_files()}


@pages.get(f"{_PATH}<version>/<name>")
def show_file(version: str, name: str) -> Response:
    text = _read_files().get(name)
    if text is None:
        raise NotFound("There is no such file")
    kept = "max-age=31536000, immutable" if version == _version() else "no-cache"
    media_type = _MEDIA_TYPES[Path(name).suffix]
    return Response(text, mimetype=media_type, headers={"Cache-Control": f"public, {kept}"})
