"""The style and the scripts of the pages, which anybody may read."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import rjsmin
from flask import Blueprint, Response

from shared.crypto import hash_secret
from shared.errors import NotFound
from web.people.page_blueprint import create_page_blueprint

_HERE = Path(__file__).parent / "static"
_MEDIA_TYPES: Mapping[str, str] = {".css": "text/css", ".js": "text/javascript"}
_PATH = "/static/"

pages: Blueprint = create_page_blueprint("static_files")


@cache
def _read_files() -> Mapping[str, str]:
    """By their names; scripts without comments and indents, which are for who reads the source."""
    files = {path.name: path for path in sorted(_HERE.iterdir()) if path.suffix in _MEDIA_TYPES}
    return {name: _shorten(path) for name, path in files.items()}


def _shorten(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return rjsmin.jsmin(text) if path.suffix == ".js" else text


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
