"""What a person sees: the API's page, Flower and the sandbox's page, in a real browser."""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import pyotp
import pytest
import requests
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import alert_is_present
from selenium.webdriver.support.ui import WebDriverWait

from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE, wait_until


def text_of(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def wait_for_text(browser: webdriver.Chrome, text: str) -> None:
    waiting(browser).until(lambda page: text in text_of(page), text)


def waiting(browser: webdriver.Chrome) -> WebDriverWait[webdriver.Chrome]:
    """Also while one page takes the place of another."""
    return WebDriverWait(
        browser,
        PATIENCE,
        ignored_exceptions=[NoSuchElementException, StaleElementReferenceException],
    )


def complaints(browser: webdriver.Chrome) -> list[Any]:
    rows = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [row for row in rows if row["level"] == "SEVERE"]


def call(stack: RunningStack, method: str, path: str, body: Any = None) -> Any:
    facts = stack.facts()
    headers = {"Authorization": f"Bearer {facts['admin_key']}", "X-Profile-Id": "seen"}
    url = f"{facts['web_url']}/api/v1{path}"
    reply = requests.request(method, url, json=body, headers=headers, timeout=120)
    assert reply.ok, reply.text
    return reply.json()


@pytest.fixture(scope="module")
def published(stack: RunningStack) -> dict[str, Any]:
    """A post that went all the way, on the running stack."""
    postiz = {"api_url": stack.facts()["sandbox_url"], "api_key": "sandbox-demo-key"}
    profile = {"id": "seen", "name": "Seen", "tts_settings": {"postiz": postiz}}
    call(stack, "POST", "/profiles", profile)
    words = {"caption": "Seen in a browser", "integration_ids": ["int-mastodon"]}
    job = call(stack, "POST", "/postiz/publish", words)["job"]["id"]

    def post() -> dict[str, Any]:
        found: dict[str, Any] = call(stack, "GET", f"/jobs/{job}/posts")["items"][0]
        return found

    wait_until(lambda: post()["state"] == "published", lambda: str(post()))
    return post()


def test_the_api_can_be_read_and_tried_without_the_internet(
    stack: RunningStack, browser: webdriver.Chrome
) -> None:
    browser.get(f"{stack.facts()['web_url']}/docs")
    wait_for_text(browser, "/api/v1/postiz/bulk-publish")
    assert complaints(browser) == []


def press(browser: webdriver.Chrome, button: str, **fields: str) -> None:
    found = waiting(browser).until(
        lambda page: page.find_element(By.XPATH, f"//button[text()='{button}']"), button
    )
    for name, text in fields.items():
        browser.find_element(By.NAME, name).send_keys(text)
    found.click()


def test_the_first_admin_is_made_by_a_link_and_signs_in_with_two_factors(
    stack: RunningStack, browser: webdriver.Chrome
) -> None:
    wait_until(lambda: "/sign-in/link/" in stack.output(), stack.output)
    [link] = re.findall(r"http://\S+/sign-in/link/\S+", stack.output())
    password = {"email": "boss@example.com", "password": "correct horse battery"}
    browser.get(link)
    press(browser, "Save", name="Boss", **password)
    wait_for_text(browser, "Set up your second factor")
    picture = browser.find_element(By.TAG_NAME, "img")
    assert int(picture.get_attribute("naturalWidth") or 0) > 100
    [secret] = re.findall(r"\b[A-Z2-7]{32}\b", text_of(browser))
    press(browser, "Turn it on", code=pyotp.TOTP(secret).now())
    wait_for_text(browser, "Your recovery codes")
    codes = [each.text for each in browser.find_elements(By.TAG_NAME, "code")]
    browser.find_element(By.LINK_TEXT, "Go on").click()
    wait_for_text(browser, "What needs me")
    browser.find_element(By.LINK_TEXT, "Your account").click()
    wait_for_text(browser, "Role: admin, for all profiles")
    browser.find_element(By.LINK_TEXT, "Sign out").click()
    press(browser, "Sign out")
    wait_for_text(browser, "Email")
    press(browser, "Sign in", **password)
    wait_for_text(browser, "one of your recovery codes")
    press(browser, "Go on", code="000000")
    wait_for_text(browser, "This code is not right")
    press(browser, "Go on", code=codes[0])
    wait_for_text(browser, "What needs me")
    browser.get(link)
    wait_for_text(browser, "This link was used already")
    statuses = [re.findall(r"status of (\d+)", row["message"]) for row in complaints(browser)]
    assert statuses == [["401"], ["404"]], "the wrong code, the used link, and no more"
    browser.delete_all_cookies()


#: Of a phone, in its own pixels.
WIDTH, HEIGHT = 390, 844
FINGER = 44


def test_a_client_approves_and_rejects_on_a_phone_without_scripts(
    stack: RunningStack, browser: webdriver.Chrome, published: dict[str, Any]
) -> None:
    items = [{"caption": f"To approve, {word} {'x' * 60}"} for word in ("right", "wrong")]
    more = {"integration_ids": ["int-mastodon"], "requires_approval": True}
    job = call(stack, "POST", "/postiz/bulk-publish", {"items": items, **more})["job"]["id"]
    link = call(stack, "POST", f"/jobs/{job}/approval-links", {"name": "Client"})["url"]
    phone = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        browser.get(link)
        wide, high = browser.execute_script(
            "return [document.documentElement.scrollWidth,"
            " Math.min(...[...document.querySelectorAll('button')].map(b => b.offsetHeight))]"
        )
        assert wide <= WIDTH, "it is read without scrolling sideways"
        assert high >= FINGER
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        press(browser, "Approve")
        wait_for_text(browser, "Approved: it goes out at its time")
        press(browser, "Reject", note="The logo is the old one")
        wait_for_text(browser, "Rejected: The logo is the old one")
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def states() -> list[str]:
        return [post["state"] for post in call(stack, "GET", f"/jobs/{job}/posts")["items"]]

    wait_until(lambda: states() == ["published", "cancelled"], lambda: str(states()))
    assert complaints(browser) == []


#: In CSS pixels.
WIDTHS = (360, 1200, 2560)
_AXE = files("axe_core_python").joinpath("axe.min.js")


def find_barriers(browser: webdriver.Chrome) -> list[str]:
    """What axe-core finds on the page, of serious or critical impact."""
    browser.execute_script(_AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "axe.run().then(found => arguments[arguments.length - 1](found.violations))"
    )
    return [
        f"{each['id']}: {node['html']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def be_wide(browser: webdriver.Chrome, width: int, *, scheme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@pytest.fixture
def publisher(stack: RunningStack, browser: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """A person who publishes for one profile, signed in by the link that an admin gave them."""
    person = {"email": "pat@example.com", "name": "Pat", "role": "publisher"}
    made = call(stack, "POST", "/users", {**person, "profile_ids": ["seen"]})
    browser.get(stack.facts()["web_url"] + made["link"])
    press(browser, "Save", password="correct horse battery")
    wait_for_text(browser, "What needs me")
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.delete_all_cookies()


def test_a_publisher_sees_jobs_and_posts_and_pauses_and_cancels(
    stack: RunningStack, publisher: webdriver.Chrome, published: dict[str, Any]
) -> None:
    browser, url = publisher, stack.facts()["web_url"]
    items = [{"caption": f"Planned, {word}"} for word in ("one", "two")]
    later = {"integration_ids": ["int-mastodon"], "schedule_date": "2031-01-01T09:00:00Z"}
    job = call(stack, "POST", "/postiz/bulk-publish", {"items": items, **later})["job"]["id"]
    for path in ("/", "/jobs", f"/jobs/{job}", "/posts", f"/posts/{published['id']}", "/channels"):
        for width, scheme in zip(WIDTHS, ("light", "dark", "light"), strict=True):
            be_wide(browser, width, scheme=scheme)
            browser.get(url + path)
            across = browser.execute_script("return document.documentElement.scrollWidth")
            assert across <= width, f"{path} is read without scrolling sideways"
            assert find_barriers(browser) == [], (path, width, scheme)
    browser.get(url + "/")
    wait_for_text(browser, "Planned, one")
    browser.find_element(By.LINK_TEXT, "Jobs").click()
    browser.find_element(By.LINK_TEXT, job).click()
    press(browser, "Pause")
    press(browser, "Resume")
    waiting(browser).until(lambda page: page.find_element(By.XPATH, "//button[text()='Pause']"))
    browser.get(f"{url}/posts?state=pending")
    press(browser, "Cancel all that match")
    asked = waiting(browser).until(alert_is_present())
    assert "2 of 2 posts will be changed" in asked.text
    asked.accept()
    wait_for_text(browser, "There are no such posts")
    states = [post["state"] for post in call(stack, "GET", f"/jobs/{job}/posts")["items"]]
    assert states == ["cancelled", "cancelled"]
    assert complaints(browser) == []


def test_flower_shows_the_tasks_by_telling_names(
    stack: RunningStack, browser: webdriver.Chrome, published: dict[str, Any]
) -> None:
    facts = stack.facts()
    login = f"admin:{quote(facts['admin_key'])}@"
    browser.get(f"{facts['flower_url'].replace('://', f'://{login}')}/tasks")
    wait_for_text(browser, "pressroom.")
    names = {cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "td:first-child")}
    assert any(name.startswith("pressroom.") for name in names), names


def test_flower_lets_nobody_in_without_the_key(stack: RunningStack) -> None:
    url = stack.facts()["flower_url"]
    for path in ("/tasks", "/api/tasks", "/workers"):
        assert requests.get(url + path, timeout=120).status_code in {401, 403}, path


def test_the_sandbox_shows_what_it_published(
    stack: RunningStack, browser: webdriver.Chrome, published: dict[str, Any]
) -> None:
    browser.get(stack.facts()["sandbox_url"].removesuffix("/public/v1"))
    wait_for_text(browser, "Seen in a browser")
    assert complaints(browser) == []
    browser.get(published["release_url"])
    wait_for_text(browser, "Seen in a browser")
