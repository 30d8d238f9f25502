"""/docs: the site that `make docs` builds, each page as Markdown beside it, and /llms.txt."""

import mimetypes
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from shared.errors import NotFound
from web.docs import sources
from web.docs.listing import list_for_people, list_for_programs
from web.http_layer import security_headers
from web.people.page_blueprint import create_page_blueprint

_START = "index.html"
_KEPT = {"Cache-Control": "public, max-age=300"}
#: Of what `make docs` changes: a browser asks again.
_ASKED_AGAIN = {"Cache-Control": "no-cache"}

pages = create_page_blueprint("documentation")


@pages.get("/docs")
def show_start() -> AnyResponse:
    if request.path == "/docs":
        return redirect("/docs/", 308)  # the links of the site are relative to its folder
    return show_page_of_site(_START)


@pages.get("/docs/<path:name>")
def show_page_of_site(name: str) -> Response:
    """A page without its suffix: as the site shows it, or as Markdown where none was built."""
    files = {**sources.list_pictures(), **_list_site(sources.SITE)}
    for path in (files.get(name), files.get(f"{name}.html")):
        if path is not None:
            return _show_file(path)
    if name == _START:
        return _show_html(list_for_people())
    known = sources.read_pages()
    for page in (known.get(name), known.get(f"{name.removesuffix('.html')}.md")):
        if page is not None:
            return Response(page.text, mimetype="text/markdown", headers=_KEPT)
    raise NotFound("There is no such page in the documentation")


@pages.get("/llms.txt")
def show_index_for_programs() -> Response:
    return Response(list_for_programs(), mimetype="text/plain", headers=_KEPT)


def _list_site(folder: Path) -> Mapping[str, Path]:
    """By their paths, which is all that is ever served of it."""
    start = folder / _START
    return _list_files(folder, start.stat().st_mtime_ns if start.is_file() else 0)


@lru_cache(maxsize=2)
def _list_files(folder: Path, _built: int) -> Mapping[str, Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in files}


def _show_file(path: Path) -> Response:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if media_type == "text/html":
        return _show_html(content)
    return Response(content, mimetype=media_type, headers=_KEPT)


def _show_html(content: str | bytes) -> Response:
    policy = {"Content-Security-Policy": security_headers.PAGE_POLICY}
    return Response(content, mimetype="text/html", headers={**_ASKED_AGAIN, **policy})
