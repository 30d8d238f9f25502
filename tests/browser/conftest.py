"""The browser of the page tests: without one they are skipped, but not where CI asks for them."""

import os
import shutil
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

PROGRAMS = ("chromium", "chromedriver")
MISSING = "no Chromium here: apt-get install chromium chromium-driver"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before any stack is started for them, and with one line for all of them."""
    pages = [item for item in items if "browser" in getattr(item, "fixturenames", ())]
    if not pages or all(map(shutil.which, PROGRAMS)):
        return
    if os.environ.get("PRESSROOM_OPTIONAL_TESTS") == "required":
        raise pytest.UsageError(MISSING)
    for item in pages:
        item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    program, driver_program = map(shutil.which, PROGRAMS)
    options = Options()
    options.binary_location = str(program)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_program))
    yield driver
    driver.quit()
