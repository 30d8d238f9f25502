"""The documentation as its readers see it, before and after `make docs`."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from local.docs_site.build import build
from tests.browser.looks import check_page, find_barriers
from tests.timing.patience import PATIENCE
from web.docs import sources

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture
def nothing_built(tmp_path: Path) -> Iterator[None]:
    """As on a fresh clone; afterwards all is as it was."""
    kept = tmp_path / "kept"
    if sources.SITE.exists():
        shutil.move(sources.SITE, kept)
    yield
    shutil.rmtree(sources.SITE, ignore_errors=True)
    if kept.exists():
        shutil.move(kept, sources.SITE)


@pytest.mark.usefixtures("nothing_built")
def test_the_documentation_is_read_searched_and_leads_to_the_api(
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    check_page(page, "/docs")
    expect(page.get_by_text("make docs")).to_be_visible()
    build(sources.SITE)
    check_page(page, "/docs/POSTIZ_CLIENTS")
    page.goto("/docs/api")
    expect(page.get_by_text("/api/v1/postiz/bulk-publish").first).to_be_visible()
    assert find_barriers(page) == [], "in light; of so many calls, once"
    check_page(page, "/docs")
    page.get_by_role("button", name="Search").click()
    page.keyboard.type("recovery codes")
    styled = page.get_by_role("combobox", name="Search")
    expect(styled).to_have_css("border-top-style", "none")
    page.get_by_role("option", name="The second factor").click()
    expect(page).to_have_url(re.compile(r"/docs/PEOPLE\.html"))
    expect(page.get_by_role("link", name="The API", exact=True)).to_have_attribute(
        "href", "/docs/api"
    )
