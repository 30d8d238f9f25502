"""/docs, its pages as Markdown, and /llms.txt: with the site that `make docs` builds, or not."""

import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.docs_site import policy
from local.docs_site.build import build
from local.docs_site.policy import CannotFollowPolicyError
from tests.servers.api import Api
from web.docs import sources
from web.http_layer.security_headers import PAGE_POLICY


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    build(folder)
    return folder


@pytest.fixture
def site(built: Path, bare_api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(sources, "SITE", built)
    return bare_api


@pytest.fixture
def unbuilt(bare_api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Api:
    monkeypatch.setattr(sources, "SITE", tmp_path / "nothing")
    return bare_api


def links_of(path: str, page: str) -> Iterator[tuple[str, str]]:
    """Where the links, scripts, styles and pictures of a page lead on our own host, and to what."""
    for target in re.findall(r'(?:href|src)="([^"]*)"', page):
        address = urlsplit(target)
        if not (address.scheme or address.netloc):
            there = posixpath.join(posixpath.dirname(path), address.path) if address.path else path
            yield posixpath.normpath(there), address.fragment


def test_every_page_is_there_and_what_it_leads_to(site: Api) -> None:
    wanted = {("/docs/index.html", "")}
    shown: dict[str, str] = {}
    while missing := {path for path, _ in wanted if path.startswith("/docs/")} - shown.keys():
        for path in missing:
            reply = site.get(path, key=None)
            assert reply.status_code == 200, path
            shown[path] = reply.text if reply.mimetype == "text/html" else ""
            wanted |= set(links_of(path, shown[path])) if path != "/docs/api" else set()
    for name in sources.read_pages():
        page = name.replace("README", "index").replace(".md", ".html")
        assert f"/docs/{page}" in shown, f"nothing leads to {name}"
    headings = {each for each in wanted if each[1] and not each[1].startswith("__")}
    assert len(headings) > 100
    assert [each for each in headings if f'id="{each[1]}"' not in shown.get(each[0], "")] == []


def test_nothing_stands_in_a_page_that_our_policy_would_stop(site: Api, built: Path) -> None:
    for page in built.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<script>| on\w+=| style=|<style", text), page
        assert not re.search(r'(?:src|rel="stylesheet" href)="(?:https?:)?//', text), page
    reply = site.get("/docs/CLI", key=None)
    assert reply.headers["Content-Security-Policy"] == PAGE_POLICY


def test_a_site_that_cannot_be_changed_for_our_policy_is_not_built(
    built: Path, tmp_path: Path
) -> None:
    changed = shutil.copytree(built, tmp_path / "site")
    (changed / "404.html").touch()
    with pytest.raises(CannotFollowPolicyError, match="in another way"):
        policy.apply(changed)  # its bundle no longer has what is looked for


def test_without_the_site_the_pages_are_listed_and_are_markdown(unbuilt: Api) -> None:
    listed = unbuilt.get("/docs/", key=None)
    assert 'href="/docs/api"' in listed.text
    assert 'href="/docs/CLI.md"' in listed.text
    assert listed.headers["Content-Security-Policy"] == PAGE_POLICY
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
    for file in (sources.ROOT / "docs").glob("*.md"):
        shown, written = unbuilt.get(f"/docs/{file.name}", key=None).text, file.read_text("utf-8")
        assert without_links(shown) == without_links(written), file.name


def without_links(text: str) -> str:
    """They lead to pages of the site, and what is not there is named only."""
    return re.sub(r"\[([^\]]*)\]\([^()\s]+\)", r"\1", text)


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
        "../requirements.txt",
        "..%2frequirements.txt",
        "%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "pictures/../../requirements.txt",
        "SECURITY.md%00",
        "sources.py",
        "a" * 3000,
    ],
)
def test_nothing_else_is_read(site: Api, name: str) -> None:
    assert site.get(f"/docs/{name}", key=None).status_code == 404
