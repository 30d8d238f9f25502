"""/docs: the site that `make docs` builds, each page as Markdown beside it, and /llms.txt."""

import base64
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from shared.errors import NotFound
from web.docs import sources
from web.http_layer import security_headers
from web.people.page_blueprint import create_page_blueprint
from web.people.rendering import Link, show_page

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_KEPT = {"Cache-Control": "public, max-age=300"}

pages = create_page_blueprint("documentation")


@pages.get("/docs")
def show_start() -> AnyResponse:
    if request.path == "/docs":
        return redirect("/docs/", 308)  # the links of the site are relative to its folder
    return show_page_of_site("index.html")


@pages.get("/docs/<path:name>")
def show_page_of_site(name: str) -> Response:
    """A page without its suffix: as the site shows it, or as Markdown where none was built."""
    files = {**sources.list_pictures(), **_list_site(sources.SITE)}
    for path in (files.get(name), files.get(f"{name}.html")):
        if path is not None:
            return _show_file(path)
    for page in (sources.read_pages().get(name), sources.read_pages().get(f"{name}.md")):
        if page is not None:
            return Response(page.text, mimetype="text/markdown", headers=_KEPT)
    if name == "index.html":
        return _list_pages()
    raise NotFound("There is no such page in the documentation")


@pages.get("/llms.txt")
def show_index_for_programs() -> Response:
    """As https://llmstxt.org describes it: the pages with a line about each."""
    lines = ["# Pressroom", "", f"> {sources.read_summary()}"]
    for section in sources.read_sections():
        lines += ["", f"## {section.title}", ""]
        for name, about in section.pages.items():
            title = sources.read_pages()[name].title
            lines.append(f"- [{title}](/docs/{name}): {about}")
    lines += ["", "## The API", "", "- [OpenAPI](/openapi.json): every call, with its fields"]
    return Response("\n".join([*lines, ""]), mimetype="text/plain", headers=_KEPT)


def _list_site(folder: Path) -> Mapping[str, Path]:
    """By their paths, which is all that is ever served of it."""
    index = folder / "index.html"
    built = index.stat().st_mtime_ns if index.is_file() else 0
    return _list_files(folder, built)


@lru_cache(maxsize=2)
def _list_files(folder: Path, _built: int) -> Mapping[str, Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in files}


def _show_file(path: Path) -> Response:
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    content = path.read_bytes()
    policy = {}
    if media_type == "text/html":
        policy["Content-Security-Policy"] = _policy_for(content.decode())
    return Response(content, mimetype=media_type, headers={**_KEPT, **policy})


def _policy_for(page: str) -> str:
    """The scripts that stand in a page of the site run as they were built, and no others. Its
    library sets styles of elements."""
    digests = {hashlib.sha256(script.encode()).digest() for script in _SCRIPT.findall(page)}
    allowed = sorted(f" 'sha256-{base64.b64encode(each).decode()}'" for each in digests)
    own = "script-src 'self'"
    return security_headers.DOCS_POLICY.replace(own, own + "".join(allowed))


def _list_pages() -> Response:
    """In place of the site where it was not built."""
    links = [Link("/docs/api", "The API, to read and to try")]
    for section in sources.read_sections():
        for name in section.pages:
            title = sources.read_pages()[name].title
            links.append(Link(f"/docs/{name.removesuffix('.md')}", title))
    return show_page("Documentation", links=tuple(links))
