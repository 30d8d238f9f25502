"""The browser of the page tests: without one they are skipped, but not where CI asks for them."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.looks import watch
from tests.browser.people import invite
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE

PROGRAM = "chromium"
MISSING = "no Chromium here: apt-get install chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before any stack is started for them, and with one line for all of them."""
    pages = [item for item in items if "chromium" in getattr(item, "fixturenames", ())]
    if not pages or shutil.which(PROGRAM):
        return
    if os.environ.get("PRESSROOM_OPTIONAL_TESTS") == "required":
        raise pytest.UsageError(MISSING)
    for item in pages:
        item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Ended with the module: while it runs, no test of this process can start an event loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which(PROGRAM), args=list(FLAGS), timeout=PATIENCE * 1000
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, stack: RunningStack) -> Iterator[Callable[..., Page]]:
    """Pages of people who know nothing of each other; paths are Pressroom's.

    Fails afterwards where one of them wrote an error to its console or asked another host.
    """
    faults: list[str] = []
    contexts = []

    def open_one(**options: Any) -> Page:
        context = chromium.new_context(base_url=stack.facts()["web_url"], **options)
        context.set_default_timeout(PATIENCE * 1000)
        contexts.append(context)
        page = context.new_page()
        watch(page, faults)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def signed_in(stack: RunningStack, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """The home page of a new person with this role: `signed_in("publisher", ["acme"])`."""

    def sign_in(role: str, profiles: list[str] | None = None, **options: Any) -> Page:
        page = open_page(**options)
        page.goto(invite(stack, role, profiles))
        page.get_by_label("Password").fill("correct horse battery")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("heading", name="What needs me").wait_for()
        return page

    return sign_in
