"""How a page looks and behaves to anybody: widths, colours, barriers, console, other hosts."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Request

#: In CSS pixels, with the colours that are asked for.
LOOKS: Sequence[tuple[int, Literal["light", "dark"]]] = (
    (360, "light"),
    (1200, "dark"),
    (2560, "light"),
)
#: What a finger meets, in CSS pixels.
FINGER = 44
_AXE = files("axe_core_python").joinpath("axe.min.js")
_FIND_BARRIERS = """async () => (await axe.run()).violations
    .filter(each => ["serious", "critical"].includes(each.impact))
    .flatMap(each => each.nodes.map(node => `${each.id}: ${node.html}`))"""


def watch(page: Page, faults: list[str]) -> None:
    """Notes errors on the console, scripts that failed, and requests to another host."""

    def on_console(message: ConsoleMessage) -> None:
        provoked = ("the server responded with a status of", "net::ERR_FAILED")  # by a test
        if message.type == "error" and not any(words in message.text for words in provoked):
            faults.append(f"{page.url}: {message.text}")

    def on_request(request: Request) -> None:
        own, asked = urlsplit(page.url), urlsplit(request.url)
        elsewhere = asked.scheme not in {"data", "blob"} and asked.netloc != own.netloc
        if own.netloc and elsewhere and not request.is_navigation_request():
            faults.append(f"{page.url} asked {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
    page.on("request", on_request)


def find_barriers(page: Page) -> list[str]:
    """What axe-core finds on the page, of serious or critical impact."""
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(_FIND_BARRIERS)
    return found


def check_page(page: Page, path: str) -> None:
    """At three widths, in light and dark: read without scrolling sideways, no barriers."""
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        answer = page.goto(path)
        assert answer is not None and answer.ok, path
        if not page.locator("[data-events]").count():  # a page that is followed never rests
            page.wait_for_load_state("networkidle")
        across = page.evaluate("document.documentElement.scrollWidth")
        assert across <= width, f"{path} is read without scrolling sideways"
        assert find_barriers(page) == [], (path, width, scheme)
    page.set_viewport_size({"width": 1200, "height": 900})


def size_of(found: Locator) -> tuple[float, float]:
    """Width and height of what is shown, in CSS pixels."""
    box = found.bounding_box()
    assert box is not None, "it is not shown"
    return box["width"], box["height"]
