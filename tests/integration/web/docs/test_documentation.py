"""/docs, its pages as Markdown, and /llms.txt: with the site that `make docs` builds, or not."""

import base64
import hashlib
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local import docs_site
from tests.servers.api import Api
from web.docs import sources


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    docs_site.build(folder)
    return folder


@pytest.fixture
def site(built: Path, bare_api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(sources, "SITE", built)
    return bare_api


@pytest.fixture
def unbuilt(bare_api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Api:
    monkeypatch.setattr(sources, "SITE", tmp_path / "nothing")
    return bare_api


def links_of(path: str, page: str) -> Iterator[str]:
    """Where the links, scripts, styles and pictures of a page lead on our own host."""
    for target in re.findall(r'(?:href|src)="([^"]*)"', page):
        address = urlsplit(target)
        if not (address.scheme or address.netloc) and address.path:
            yield posixpath.normpath(posixpath.join(posixpath.dirname(path), address.path))


def test_every_page_is_there_and_what_it_leads_to(site: Api) -> None:
    asked = {"/docs/": "index.html"}
    waiting = list(asked)
    while waiting:
        path = waiting.pop()
        reply = site.get(path, key=None)
        assert reply.status_code == 200, path
        assert reply.headers["Cache-Control"].startswith("public") or path == "/docs/api"
        if reply.mimetype == "text/html" and path != "/docs/api":
            found = {link for link in links_of(path, reply.text) if link.startswith("/docs/")}
            waiting += found - asked.keys()
            asked |= dict.fromkeys(found, path)
    for name in sources.read_pages():
        assert f"/docs/{name.removesuffix('.md')}.html" in asked, f"nothing leads to {name}"


def test_what_stands_in_a_page_runs_as_it_was_built_and_nothing_else(site: Api) -> None:
    reply = site.get("/docs/CLI", key=None)
    policy = reply.headers["Content-Security-Policy"]
    assert "unsafe" not in policy.replace("style-src 'self' 'unsafe-inline'", "")
    scripts = re.findall(r"<script>(.*?)</script>", reply.text, re.DOTALL)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    expected = {f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests}
    assert len(expected) >= 1
    assert set(re.findall(r"'sha256-[^']+'", policy)) == expected
    assert not re.search(r" on\w+=| style=|<style", reply.text)


def test_without_the_site_the_pages_are_listed_and_are_markdown(unbuilt: Api) -> None:
    listed = unbuilt.get("/docs/", key=None)
    assert 'href="/docs/api"' in listed.text
    assert 'href="/docs/CLI"' in listed.text
    page = unbuilt.get("/docs/CLI", key=None)
    assert (page.status_code, page.mimetype) == (200, "text/markdown")
    assert unbuilt.get("/docs/pictures/home.png", key=None).mimetype == "image/png"
    assert unbuilt.get("/docs", key=None).headers["Location"] == "/docs/"


def test_each_page_is_there_as_markdown_whose_links_lead_to_others(unbuilt: Api) -> None:
    for name in sources.read_pages():
        reply = unbuilt.get(f"/docs/{name}", key=None)
        assert (reply.status_code, reply.mimetype) == (200, "text/markdown"), name
        for target in re.findall(r"\]\(([^()\s#]+)[^()]*\)", reply.text):
            if not urlsplit(target).scheme:
                path = posixpath.normpath(posixpath.join("/docs", posixpath.dirname(name), target))
                assert unbuilt.get(path, key=None).status_code == 200, (name, target)
    text = unbuilt.get("/docs/RELIABILITY.md", key=None).text
    assert text.splitlines()[0] == (sources.ROOT / "docs/RELIABILITY.md").read_text().split("\n")[0]


def test_programs_find_every_page_with_a_line_about_it(unbuilt: Api) -> None:
    reply = unbuilt.get("/llms.txt", key=None)
    title, _, summary, *rest = reply.text.splitlines()
    assert title == "# Pressroom"
    assert summary.startswith("> Pressroom publishes")
    entries = [re.fullmatch(r"- \[(.+)\]\((\S+)\): (.+)", line) for line in rest if line[:1] == "-"]
    addresses = [entry[2] for entry in entries if entry]
    assert len(addresses) == len(entries) > 15
    for address in addresses:
        assert unbuilt.get(address, key=None).status_code == 200, address
    for path in (sources.ROOT / "docs").glob("*.md"):
        assert f"/docs/{path.name}" in addresses


@pytest.mark.parametrize(
    "name",
    [
        "../pyproject.toml",
        "..%2fpyproject.toml",
        "%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "pictures/../../pyproject.toml",
        "CLI%00",
        "sources.py",
        "a" * 3000,
    ],
)
def test_nothing_else_is_read(site: Api, name: str) -> None:
    assert site.get(f"/docs/{name}", key=None).status_code == 404
