"""From the pages of the documentation to a folder with a site."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.docs_site import policy
from web.docs import sources

_STYLE = Path(__file__).parent / "site.css"


def build(folder: Path) -> None:
    """Writes the site to `folder`, anew; what was there stays until the new one is whole.

    Raises `CalledProcessError` with what zensical said, and `CannotFollowPolicyError`.
    """
    with TemporaryDirectory() as made:
        stage = Path(made)
        _write_pages(stage / "pages")
        (stage / "mkdocs.yml").write_text(json.dumps(_settings()), encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "-f", "mkdocs.yml", "--strict"]
        subprocess.run(command, cwd=stage, check=True, capture_output=True, text=True)
        policy.apply(stage / "site")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(stage / "site", folder)


def _write_pages(folder: Path) -> None:
    for page in sources.read_pages().values():
        target = folder / page.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page.text, encoding="utf-8")
    for name, picture in sources.list_pictures().items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(picture, folder / name)
    shutil.copy(_STYLE, folder)


def _settings() -> Mapping[str, Any]:
    """In the words of mkdocs, which zensical reads; JSON is YAML. No font of another host."""
    return {
        "site_name": "Pressroom",
        "docs_dir": "pages",
        "use_directory_urls": False,
        "nav": [{"Start": sources.INDEX}, *_navigation(), {"The API": "/docs/api"}],
        "extra_css": [_STYLE.name],
        "markdown_extensions": [
            "tables",
            "sane_lists",
            "toc",
            {"pymdownx.highlight": {"anchor_linenums": False}},  # a link to each line has no name
            "pymdownx.superfences",
        ],
        "theme": {
            "name": "material",
            "font": False,
            "features": ["navigation.top", "navigation.sections", "content.code.copy"],
            "palette": [
                _palette("light", "default", toggle="Switch to dark"),
                _palette("dark", "slate", toggle="Switch to light"),
            ],
        },
    }


def _palette(asked: str, scheme: str, *, toggle: str) -> Mapping[str, Any]:
    """The one that the reader's system asks for, until they choose."""
    return {
        "media": f"(prefers-color-scheme: {asked})",
        "scheme": scheme,
        "primary": "custom",
        "accent": "custom",
        "toggle": {"icon": "lucide/sun-moon", "name": toggle},
    }


def _navigation() -> Sequence[Mapping[str, Any]]:
    pages = sources.read_pages()
    return [
        {section.title: [{pages[name].title: name} for name in section.pages]}
        for section in sources.read_sections()
    ]
