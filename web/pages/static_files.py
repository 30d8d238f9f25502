"""The style and the script of the pages, which anybody may read."""

from functools import cache
from pathlib import Path

from flask import Blueprint, Response

from shared.crypto import hash_secret
from shared.errors import NotFound
from web.people.page_blueprint import create_page_blueprint

_HERE = Path(__file__).parent / "static"
FILES = {"pages.css": "text/css", "pages.js": "text/javascript"}
_PATH = "/static/"

pages: Blueprint = create_page_blueprint("static_files")


def address_of(name: str) -> str:
    """With a version, so that a browser keeps a file until it changes."""
    return f"{_PATH}{name}?{_version_of(name)}"


@cache
def _read_file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _version_of(name: str) -> str:
    return hash_secret(_read_file(name))[:16]


@pages.get(f"{_PATH}<name>")
def show_file(name: str) -> Response:
    if name not in FILES:
        raise NotFound("There is no such file")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(_read_file(name), mimetype=FILES[name], headers=headers)
