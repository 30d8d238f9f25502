"""Every page, heading and link that code or documents point to is in the repository."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Check = Callable[[Path, str], Iterator[str]]
FOLDERS = ("shared", "web", "worker", "local", "cli", "tests", "docs")
SUFFIXES = {".py", ".md", ".yml", ".toml", ".txt"}

_START = r"(?<![\w/.:@-])"
_PAGE = re.compile(_START + r"(?:\.{1,2}/)*(?:[\w-]+/)*[\w-]+\.md\b")
_IN_DOCS = re.compile(_START + r"docs/[\w./-]*\w")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
#: As in: docs/PAGE, "Heading".
_POINTER = re.compile(_START + r'([\w./-]+\.md)\)?, "([^"]+)"')
_LINE_BREAK = re.compile(r"\s*\n\s*#?:?\s*")


def written_files() -> Iterator[Path]:
    """Code, documents and settings; not this file, whose examples point to nothing on purpose."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    for path in {*ROOT.glob("*"), *inside} - {Path(__file__)}:
        if path.is_file() and (path.suffix in SUFFIXES or path.name == "Makefile"):
            yield path


def headings_of(page: Path) -> set[str]:
    return set(_HEADING.findall(page.read_text(encoding="utf-8")))


def anchors_of(page: Path) -> set[str]:
    """The anchors that its headings get on a rendered page."""
    plain = (re.sub(r"[^\w -]", "", heading.lower()) for heading in headings_of(page))
    return {heading.replace(" ", "-") for heading in plain}


def find_page(path: Path, name: str) -> Path | None:
    """The page called `name` in `path`: seen from the root, or from a document's own folder."""
    places = [ROOT, path.parent] if path.suffix == ".md" else [ROOT]
    return next((place / name for place in places if (place / name).exists()), None)


def missing_pages(path: Path, text: str) -> Iterator[str]:
    text = text.replace('" / "', "/")  # as paths are put together in code
    for name in {*_PAGE.findall(text), *_IN_DOCS.findall(text)}:
        if find_page(path, name) is None:
            yield name


def missing_headings(path: Path, text: str) -> Iterator[str]:
    for name, heading in _POINTER.findall(_LINE_BREAK.sub(" ", text)):
        page = find_page(path, name)
        if page is not None and heading not in headings_of(page):
            yield f'{name}, "{heading}"'


def missing_targets(path: Path, text: str) -> Iterator[str]:
    """Links of a document that lead to no file, or to no heading of one."""
    for link in _LINK.findall(text) if path.suffix == ".md" else ():
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            yield link


CHECKS = [missing_pages, missing_headings, missing_targets]


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_pointed_to_is_there(check: Check) -> None:
    missing = sorted(
        f"{path.relative_to(ROOT)}: {pointer}"
        for path in written_files()
        for pointer in check(path, path.read_text(encoding="utf-8"))
    )
    assert missing == []


@pytest.mark.parametrize(
    ("check", "name", "text", "missing"),
    [
        (missing_pages, "shared/a.py", '"""As GONE.md says."""', ["GONE.md"]),
        (missing_pages, "shared/a.py", "#: See docs/GONE.md.", ["docs/GONE.md"]),
        (missing_pages, "shared/a.py", "# Without its folder: SANDBOX.md", ["SANDBOX.md"]),
        (missing_pages, "shared/a.py", 'ROOT / "docs" / "SANDBOX.md"', []),
        (missing_pages, "docs/a.md", "The page beside this one: SANDBOX.md", []),
        (missing_pages, "docs/a.md", "https://example.com/docs/GONE.md", []),
        (missing_headings, "shared/a.py", '# See docs/SANDBOX.md, "Faults".', []),
        (missing_headings, "shared/a.py", '#: docs/SANDBOX.md, "How\n    #: fast it is"', []),
        (missing_headings, "shared/a.py", '# docs/SANDBOX.md, "No"', ['docs/SANDBOX.md, "No"']),
        (missing_targets, "docs/a.md", "[gone](GONE.md)", ["GONE.md"]),
        (missing_targets, "docs/a.md", "[fast](SANDBOX.md#how-fast-it-is)", []),
        (missing_targets, "docs/a.md", "[no](SANDBOX.md#no)", ["SANDBOX.md#no"]),
        (missing_targets, "docs/a.md", "[elsewhere](https://example.com/gone)", []),
    ],
)
def test_each_check_finds_what_is_missing(
    check: Check, name: str, text: str, missing: list[str]
) -> None:
    assert list(check(ROOT / name, text)) == missing


def test_every_test_that_security_names_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/.]+)`", text))
    assert named, "SECURITY.md names its tests"
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
