"""The pages of the documentation: what is written in docs/ and at the top of the repository.

The README is the first page, and says under "Read on" which there are, for whom: the site's
navigation and /llms.txt are made of that.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Where `make docs` builds the site; it is not part of the repository.
SITE = ROOT / ".docs"
INDEX = "README.md"
_TOP = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_ENTRY = re.compile(r"\[[^\]]*\]\(([^()\s#]+\.md)\)")


@dataclass(frozen=True, kw_only=True)
class Page:
    """`name`: its path in the site, which is that in docs/; its links lead to pages of the site."""

    name: str
    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """Pages for the same readers: their names, and a line about each."""

    title: str
    pages: Mapping[str, str]


@cache
def read_pages() -> Mapping[str, Page]:
    names = _names_by_path()
    return {name: _read_page(path, name, names) for path, name in names.items()}


@cache
def read_sections() -> Sequence[Section]:
    """As the README lists them."""
    _, _, rest = (ROOT / INDEX).read_text(encoding="utf-8").partition("\n## Read on\n")
    told, _, _ = rest.partition("\n## ")
    return tuple(_read_sections(told))


@cache
def read_summary() -> str:
    """What Pressroom is: the first paragraph of the README that is no picture and no heading."""
    paragraphs = (ROOT / INDEX).read_text(encoding="utf-8").split("\n\n")
    return next(" ".join(each.split()) for each in paragraphs if each[0].isalpha())


@cache
def list_pictures() -> Mapping[str, Path]:
    """By their paths in the site."""
    return {f"pictures/{path.name}": path for path in (ROOT / "docs/pictures").glob("*.png")}


def _names_by_path() -> Mapping[str, str]:
    """Of each page: its path in the repository, and in the site."""
    found = {name: name for name in (INDEX, *_TOP)}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        name = path.relative_to(ROOT / "docs").as_posix()
        found[f"docs/{name}"] = name
    return {path: name for path, name in found.items() if (ROOT / path).is_file()}


def _read_page(path: str, name: str, names: Mapping[str, str]) -> Page:
    text = (ROOT / path).read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    folder = posixpath.dirname(name) or "."

    def lead(link: re.Match[str]) -> str:
        words, target = link.groups()
        if re.match(r"\w+:|#", target):
            return link[0]
        file, _, anchor = target.partition("#")
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), file))
        there = names.get(there) or there.removeprefix("docs/")
        if there not in names.values() and there not in list_pictures():
            return words  # a file of the code, which the site has not
        return f"[{words}]({posixpath.relpath(there, folder)}{anchor and f'#{anchor}'})"

    return Page(name=name, title=title[1] if title else name, text=_LINK.sub(lead, text))


def _read_sections(text: str) -> Iterator[Section]:
    """Of a line for each kind of readers, which ends with a colon, and a list after it."""
    names = _names_by_path()
    for title, entries in re.findall(r"^(\w.*):\n\n((?:[- ] .*\n)+)", f"{text}\n", re.MULTILINE):
        pages = {}
        for entry in re.split(r"^- ", entries, flags=re.MULTILINE)[1:]:
            line = " ".join(entry.split())
            for part in re.split(r";\s+(?=\[)", line):
                linked = _ENTRY.match(part)
                if linked and linked[1] in names:
                    pages[names[linked[1]]] = _LINK.sub(r"\1", part[linked.end() :]).lstrip(": ")
        yield Section(title=title, pages=pages)
