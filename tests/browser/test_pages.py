"""What a person sees: Flower, the sandbox's page, sign-in and what is planned."""

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import psycopg2
import pyotp
import pytest
import requests
from playwright.sync_api import Dialog, Page, expect

from tests.browser.looks import FINGER, check_page, size_of
from tests.browser.people import call, make_profile, upload
from tests.factories.files import FILES
from tests.servers.stacks import RunningStack
from tests.timing.patience import wait_until

OpenPage = Callable[..., Page]
PROFILE = "willow"
#: Bytes that the home page may need.
FIRST_PAINT = 100_000


@pytest.fixture(scope="module")
def published(stack: RunningStack) -> dict[str, Any]:
    """A post that went all the way, on the running stack."""
    make_profile(stack, PROFILE)
    words = {"caption": "Seen in a browser", "integration_ids": ["int-mastodon"]}
    job = call(stack, "POST", "/postiz/publish", words, profile=PROFILE)["job"]["id"]

    def post() -> dict[str, Any]:
        found: dict[str, Any] = call(stack, "GET", f"/jobs/{job}/posts")["items"][0]
        return found

    wait_until(lambda: post()["state"] == "published", lambda: str(post()))
    return post()


def publish_bulk(
    stack: RunningStack, captions: list[str], media_ids: Sequence[str] = (), **more: Any
) -> str:
    """`media_ids`: of each post."""
    body = {"items": [{"caption": each, "media_ids": media_ids} for each in captions], **more}
    body["integration_ids"] = ["int-mastodon"]
    made = call(stack, "POST", "/postiz/bulk-publish", body, profile=PROFILE)
    return str(made["job"]["id"])


def states(stack: RunningStack, job: str) -> list[str]:
    return [post["state"] for post in call(stack, "GET", f"/jobs/{job}/posts")["items"]]


def _forget_all_people(stack: RunningStack) -> None:
    """The stack is as new for the first admin, whoever was invited by tests before."""
    url = stack.facts()["database_url"]
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM users")


def test_the_first_admin_is_made_by_a_link_and_signs_in_with_two_factors(
    stack: RunningStack, open_page: OpenPage
) -> None:
    _forget_all_people(stack)
    wait_until(lambda: "/sign-in/link/" in stack.output(), stack.output)
    [link] = re.findall(r"http://\S+/sign-in/link/\S+", stack.output())
    page = open_page()
    page.goto(link)
    page.get_by_label("Name").fill("Boss")
    page.get_by_label("Email").fill("boss@example.com")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("img")).to_have_js_property("complete", True)
    assert page.locator("img").evaluate("image => image.naturalWidth") > 100
    [secret] = re.findall(r"\b[A-Z2-7]{32}\b", page.inner_text("body"))
    page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Turn it on").click()
    codes = page.locator("code").all_inner_texts()
    page.get_by_role("link", name="Go on").click()
    page.get_by_role("link", name="Your account").click()
    expect(page.get_by_text("Role: admin, for all profiles")).to_be_visible()
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Email").fill("boss@example.com")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("This code is not right")).to_be_visible()
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="What needs me")).to_be_visible()
    answer = page.goto(link)
    assert answer is not None and answer.status == 404
    expect(page.get_by_text("This link was used already")).to_be_visible()


PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


def test_a_client_plays_approves_and_rejects_on_a_phone_without_scripts(
    stack: RunningStack, open_page: OpenPage, published: dict[str, Any]
) -> None:
    captions = [f"To approve, {word} {'x' * 60}" for word in ("right", "wrong")]
    clip = upload(stack, PROFILE, "clip.mp4", FILES.mp4(120, "libx264"))
    job = publish_bulk(stack, captions, [clip], requires_approval=True)
    body = {"name": "Client"}
    link = call(stack, "POST", f"/jobs/{job}/approval-links", body, profile=PROFILE)["url"]
    page = open_page(**PHONE)
    page.goto(link)
    shown = page.locator("video").first
    shown.evaluate("video => { video.muted = true; return video.play(); }")
    wait_until(lambda: shown.evaluate("video => video.currentTime") > 0)
    page = open_page(**PHONE, java_script_enabled=False)
    page.goto(link)
    assert size_of(page.locator("html"))[0] <= PHONE["viewport"]["width"]
    for button in page.get_by_role("button").all():
        assert size_of(button)[1] >= FINGER
    page.get_by_role("button", name="Approve", exact=True).first.click()
    expect(page.get_by_text("Approved: it goes out at its time")).to_be_visible()
    page.locator("[name=note]").last.fill("The logo is the old one")
    page.get_by_role("button", name="Reject").last.click()
    expect(page.get_by_text("Rejected: The logo is the old one")).to_be_visible()
    wait_until(
        lambda: states(stack, job) == ["published", "cancelled"], lambda: str(states(stack, job))
    )


def test_a_publisher_sees_jobs_and_posts_and_pauses_and_cancels(
    stack: RunningStack, signed_in: OpenPage, published: dict[str, Any]
) -> None:
    later = {"schedule_date": "2031-01-01T09:00:00Z"}
    job = publish_bulk(stack, ["Planned, one", "Planned, two"], **later)
    page = signed_in("publisher", [PROFILE])
    for path in ("/", "/jobs", f"/jobs/{job}", "/posts", f"/posts/{published['id']}", "/channels"):
        check_page(page, path)
    came: list[int] = []
    page.on("response", lambda reply: came.append(len(reply.body())))
    page.goto("/", wait_until="networkidle")
    assert sum(came) < FIRST_PAINT, "with its style and scripts, and nothing kept from before"
    expect(page.get_by_text("Planned, one")).to_be_visible()
    page.get_by_role("link", name="Jobs").click()
    page.get_by_role("link", name=job, exact=True).click()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.goto("/posts?state=pending")
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.once("dialog", answer)
    page.get_by_role("button", name="Cancel all that match").click()
    expect(page.get_by_text("There are no such posts")).to_be_visible()
    assert "2 of 2 posts will be changed" in asked[0]
    assert states(stack, job) == ["cancelled", "cancelled"]


def test_flower_shows_the_tasks_by_telling_names(
    stack: RunningStack, open_page: OpenPage, published: dict[str, Any]
) -> None:
    facts = stack.facts()
    login = {"username": "admin", "password": facts["admin_key"]}
    page = open_page(http_credentials=login)
    page.goto(f"{facts['flower_url']}/tasks")
    expect(page.locator("td:first-child", has_text="pressroom.").first).to_be_visible()


def test_flower_lets_nobody_in_without_the_key(stack: RunningStack) -> None:
    url = stack.facts()["flower_url"]
    for path in ("/tasks", "/api/tasks", "/workers"):
        assert requests.get(url + path, timeout=120).status_code in {401, 403}, path


def test_the_sandbox_shows_what_it_published(
    stack: RunningStack, open_page: OpenPage, published: dict[str, Any]
) -> None:
    page = open_page()
    page.goto(stack.facts()["sandbox_url"].removesuffix("/public/v1"))
    expect(page.get_by_text("Seen in a browser").first).to_be_visible()
    page.goto(published["release_url"])
    expect(page.get_by_text("Seen in a browser").first).to_be_visible()
