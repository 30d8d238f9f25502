"""Builds the documentation as a site: `python -m local.docs_site`, which is `make docs`."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from web.docs import sources

#: The theme's accent is too pale on its own background to be read by everybody.
_STYLE = "[data-md-color-scheme=default] .md-nav__link--active .md-ellipsis { color: #2c3fb8; }\n"


def build(folder: Path) -> None:
    """Writes the site to `folder`, anew. Raises `CalledProcessError` with what zensical said."""
    with TemporaryDirectory() as made:
        stage = Path(made)
        _write_pages(stage / "pages")
        (stage / "pages/extra.css").write_text(_STYLE, encoding="utf-8")
        (stage / "mkdocs.yml").write_text(json.dumps(_settings()), encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "-f", "mkdocs.yml"]
        subprocess.run(command, cwd=stage, check=True, capture_output=True, text=True)
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


def _settings() -> Mapping[str, Any]:
    """No font and no script of another host; JSON is YAML."""
    return {
        "site_name": "Pressroom",
        "docs_dir": "pages",
        "use_directory_urls": False,
        "extra_css": ["extra.css"],
        "nav": [{"Start": sources.INDEX}, *_navigation(), {"The API": "/docs/api"}],
        "theme": {
            "name": "material",
            "font": False,
            "features": ["navigation.top", "navigation.sections", "content.code.copy"],
            "palette": [
                _palette("light", "default", "Switch to dark", "lucide/sun"),
                _palette("dark", "slate", "Switch to light", "lucide/moon"),
            ],
        },
        "markdown_extensions": [
            "tables",
            {"toc": {"permalink": False}},
            {"pymdownx.highlight": {"anchor_linenums": False}},
            "pymdownx.superfences",
        ],
    }


def _palette(preferred: str, scheme: str, words: str, icon: str) -> Mapping[str, Any]:
    """The reader's colours first, and a switch that has a name for who does not see it."""
    media = f"(prefers-color-scheme: {preferred})"
    return {"media": media, "scheme": scheme, "toggle": {"icon": icon, "name": words}}


def _navigation() -> Sequence[Mapping[str, Any]]:
    pages = sources.read_pages()
    return [
        {section.title: [{pages[name].title: name} for name in section.pages]}
        for section in sources.read_sections()
    ]


if __name__ == "__main__":
    try:
        build(sources.SITE)
    except subprocess.CalledProcessError as error:
        sys.exit(f"the site was not built:\n{error.stdout}{error.stderr}")
    print(f"built in {sources.SITE}; web shows it at /docs")
