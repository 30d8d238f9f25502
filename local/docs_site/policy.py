"""Changes a built site so that it works under the policy of all our pages: no script and no style
that stands in a page. Both are moved into files, and nothing is allowed for their sake.
"""

import hashlib
import re
from pathlib import Path

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_SCRIPTS = "assets/javascripts"
_SEARCH_STYLE = "search.css"
#: Where the bundle of scripts gives the search its style: X("style",{},Y.toString()).
_STYLE_MADE = re.compile(r'(\w+)\("style",\{\},(\w+)\.toString\(\)\)')


class CannotFollowPolicyError(Exception):
    """The site is not as it was when these changes were written."""


def apply(site: Path) -> None:
    """Raises `CannotFollowPolicyError`."""
    (site / "404.html").unlink()  # web has an answer of its own
    for page in site.rglob("*.html"):
        _move_scripts(site, page)
    bundles = sorted((site / _SCRIPTS).glob("bundle.*.js"))
    if len(bundles) != 1:
        raise CannotFollowPolicyError(f"{len(bundles)} bundles of scripts, and not one")
    _move_style_of_search(bundles[0])


def _move_scripts(site: Path, page: Path) -> None:
    """Each into a file that is named by what it holds: most stand in all pages."""
    text = page.read_text(encoding="utf-8")
    up = "../" * (len(page.relative_to(site).parts) - 1)

    def move(found: re.Match[str]) -> str:
        digest = hashlib.sha256(found[1].encode()).hexdigest()[:16]
        name = f"{_SCRIPTS}/part.{digest}.js"
        (site / name).write_text(found[1], encoding="utf-8")
        return f'<script src="{up}{name}"></script>'

    page.write_text(_SCRIPT.sub(move, text), encoding="utf-8")


def _move_style_of_search(bundle: Path) -> None:
    text = bundle.read_text(encoding="utf-8")
    made = _STYLE_MADE.findall(text)
    kept = made and re.search(rf"\b{re.escape(made[0][1])}='((?:[^'\\]|\\.)*)'", text)
    if len(made) != 1 or not kept or "\\" in kept[1]:
        raise CannotFollowPolicyError(f"{bundle.name} gives the search its style in another way")
    bundle.with_name(_SEARCH_STYLE).write_text(kept[1], encoding="utf-8")
    address = f'new URL("{_SEARCH_STYLE}",document.querySelector("script[src*=bundle]").src)'
    link = rf'\1("link",{{rel:"stylesheet",href:{address}}})'
    bundle.write_text(_STYLE_MADE.sub(link, text), encoding="utf-8")
