"""What is planned and under way, in a browser: jobs as they happen, posts, and the calendar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from playwright.sync_api import Dialog, Locator, Page, expect

from tests.browser.looks import FINGER, check_page, size_of
from tests.browser.people import call, make_profile
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE, wait_until

SignIn = Callable[..., Page]
#: Of what Pressroom and Postiz do meanwhile (milliseconds).
WHILE = PATIENCE * 1000
PROFILE = "hazel"
#: In the middle of a month, of the years that nobody plans in.
MONDAY = "2034-05-15"


@pytest.fixture(scope="module")
def profile(stack: RunningStack) -> str:
    make_profile(stack, PROFILE)
    return PROFILE


def plan(stack: RunningStack, captions: list[str], due: str) -> str:
    items = [{"caption": each, "schedule_date": due} for each in captions]
    body = {"items": items, "integration_ids": ["int-mastodon"]}
    made = call(stack, "POST", "/postiz/bulk-publish", body, profile=PROFILE)
    return str(made["job"]["id"])


def soon() -> str:
    """When a busy machine, too, has opened the page that shows what happens then."""
    return (datetime.now(UTC) + timedelta(seconds=20)).isoformat()


def posts_of(stack: RunningStack, job: str) -> list[dict[str, Any]]:
    return list(call(stack, "GET", f"/jobs/{job}/posts")["items"])


def states_of(stack: RunningStack, job: str) -> list[str]:
    return [post["state"] for post in posts_of(stack, job)]


@contextmanager
def refused(stack: RunningStack, words: str) -> Iterator[None]:
    """Posts with these words are refused by the sandbox's networks."""
    url = stack.facts()["sandbox_url"].removesuffix("/public/v1") + "/_sandbox/faults"
    fault = {"kind": "refused_by_network", "args": {"contains": words}}
    made = requests.post(url, json=fault, timeout=PATIENCE)
    assert made.ok, made.text
    try:
        yield
    finally:
        requests.delete(f"{url}/{made.json()['id']}", timeout=PATIENCE)


def accept_all(page: Page) -> list[str]:
    """What the page asks from now on; the person says yes."""
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.on("dialog", answer)
    return asked


def test_a_job_is_followed_and_the_group_that_failed_is_tried_again(
    stack: RunningStack, signed_in: SignIn, profile: str
) -> None:
    page = signed_in("publisher", [profile])
    with refused(stack, "unlucky"):
        job = plan(stack, ["Lucky, one", "Lucky, two", "So unlucky"], soon())
        page.goto(f"/jobs/{job}")
        page.evaluate("window.stays = true")
        expect(page.get_by_text("This page follows the job by itself.")).to_be_visible()
        expect(page.locator("#live .state", has_text="completed with errors")).to_be_visible(
            timeout=WHILE
        )
        expect(page.locator(".bars").get_by_text("2 of 3, 1 not published")).to_be_visible()
        assert page.evaluate("window.stays"), "it was never loaded again"
    page.goto("/")
    asked = accept_all(page)
    group = page.get_by_role("listitem").filter(has=page.get_by_role("button", name="Retry this"))
    with page.expect_navigation():  # it asks, calls, and shows the page anew
        group.first.get_by_role("button").click()
    wait_until(
        lambda: states_of(stack, job) == ["published"] * 3, lambda: str(posts_of(stack, job))
    )
    assert "1 of 1 posts will be changed" in asked[0]
    page.goto(f"/posts/{posts_of(stack, job)[2]['id']}")
    told = page.locator(".timeline")
    expect(told.get_by_text("Tried again, as a person asked")).to_be_visible()
    expect(told.get_by_text("Published", exact=True)).to_be_visible()


def test_a_completed_job_is_looked_at_until_postiz_has_published_what_stands_in_its_calendar(
    stack: RunningStack, signed_in: SignIn, profile: str
) -> None:
    page = signed_in("publisher", [profile])
    page.clock.install()
    item = {"caption": "From the calendar", "schedule_date": soon()}
    body = {"items": [item], "integration_ids": ["int-mastodon"], "handoff": "calendar"}
    made = call(stack, "POST", "/postiz/bulk-publish", body, profile=PROFILE)
    job = made["job"]["id"]
    page.goto(f"/jobs/{job}")
    page.evaluate("window.stays = true")
    expect(page.locator(".calendar")).to_contain_text("0 of 1 published")
    expect(page.locator("#live .state", has_text="completed")).to_be_visible()
    wait_until(lambda: states_of(stack, job) == ["published"], lambda: str(posts_of(stack, job)))
    page.clock.fast_forward(11_000)  # to its next look: no event tells it
    expect(page.get_by_text("The post is published")).to_be_visible()
    expect(page.locator("td .state", has_text="published")).to_be_visible()
    assert page.evaluate("window.stays && 'over' in document.getElementById('live').dataset")


def test_a_post_is_moved_by_dragging_and_by_the_keyboard_and_all_that_match_by_hours(
    stack: RunningStack, signed_in: SignIn, profile: str
) -> None:
    job = plan(stack, ["Moved about"], f"{MONDAY}T09:00:00Z")
    [post] = posts_of(stack, job)
    page = signed_in("publisher", [profile], timezone_id="Europe/Berlin")
    for view in ("day", "week", "month"):
        check_page(page, f"/calendar?view={view}&date={MONDAY}&tz=Europe/Berlin")
    page.goto(f"/calendar?view=week&date={MONDAY}")
    expect(page.get_by_text("The times here are of Europe/Berlin")).to_be_visible()
    entry = page.locator(f"#post-{post['id']}")
    expect(entry).to_contain_text("11:00")
    entry.drag_to(page.locator("[data-day='2034-05-18']"))
    expect(page.locator("[data-day='2034-05-18']").get_by_text("Moved about")).to_be_visible()
    assert posts_of(stack, job)[0]["publish_at"].startswith("2034-05-18T09:00:00")
    button = page.get_by_role("button", name=f"Move post {post['id']},")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Day", exact=True).last.fill("2034-05-19")
    page.get_by_label("Time, in Europe/Berlin").fill("12:30")
    page.keyboard.press("Enter")
    expect(page.locator("[data-day='2034-05-19']").get_by_text("12:30")).to_be_visible()
    asked = accept_all(page)
    page.goto(f"/posts?job={job}&state=pending&q=moved")
    expect(page.get_by_label("Zone")).to_have_value("Europe/Berlin")
    page.get_by_label("Move them by").fill("2")
    with page.expect_navigation():
        page.get_by_role("button", name="Move", exact=True).click()
    wait_until(
        lambda: posts_of(stack, job)[0]["publish_at"].startswith("2034-05-19T12:30"),
        lambda: str(posts_of(stack, job)),
    )
    assert "1 of 1 posts will be changed" in asked[0]
    page.goto(f"/posts?job={job}&q=zeppelin")
    expect(page.get_by_text("There are no such posts")).to_be_visible()
    call(stack, "POST", f"/jobs/{job}/cancel")


def drag_by_touch(page: Page, start: Locator, end: Locator) -> None:
    """A finger goes down where one begins, and up again on the middle of the other.

    Which is far from the window's edges: there the page would go on under the finger.
    """
    end.evaluate("element => element.scrollIntoView({block: 'center'})")
    first, last = start.bounding_box(), end.bounding_box()
    assert first is not None
    assert last is not None
    x, y = first["x"] + 8, first["y"] + 8  # the middle of a link of two lines may be beside it
    to = (last["x"] + last["width"] / 2, last["y"] + last["height"] / 2)
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        shown = [{"x": across, "y": down} for across, down in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": shown})

    touch("touchStart", (x, y))
    for step in range(1, 9):
        touch("touchMove", (x + (to[0] - x) * step / 8, y + (to[1] - y) * step / 8))
    touch("touchEnd")


def test_a_finger_moves_a_post_by_its_button_and_scrolls_by_all_else(
    stack: RunningStack, signed_in: SignIn, profile: str
) -> None:
    job = plan(stack, ["Moved by a finger"], f"{MONDAY}T09:00:00Z")
    [post] = posts_of(stack, job)
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "timezone_id": "UTC"}
    page = signed_in("publisher", [profile], is_mobile=True, has_touch=True, **phone)
    page.goto(f"/calendar?view=week&date={MONDAY}")
    wednesday = page.locator("[data-day='2034-05-17']")
    entry = page.locator(f"#post-{post['id']}")
    drag_by_touch(page, entry.locator("a"), wednesday)
    expect(page.locator(".days.dragging")).to_have_count(0)
    page.goto(f"/calendar?view=week&date={MONDAY}")  # and so it has ended to scroll
    button = entry.get_by_role("button", name="Move post")
    assert size_of(button)[1] >= FINGER
    with page.expect_response(f"**/posts/{post['id']}"):
        drag_by_touch(page, button, wednesday)
    expect(wednesday.get_by_text("Moved by a finger")).to_be_visible()
    assert posts_of(stack, job)[0]["revision"] == 2, "and before it was not moved"
    page.wait_for_load_state()  # its scripts have run: what is pressed before is not heard
    button.tap()
    expect(page.get_by_role("heading", name="Move to")).to_be_visible()
    call(stack, "POST", f"/jobs/{job}/cancel")


def test_of_two_who_edit_a_post_the_second_is_told_and_loses_nothing(
    stack: RunningStack, signed_in: SignIn, profile: str
) -> None:
    job = plan(stack, ["The first words"], "2034-06-01T09:00:00Z")
    [post] = posts_of(stack, job)
    pages = [signed_in("publisher", [profile]) for _ in range(2)]
    for page, words in zip(pages, ("Words of one", "Words of two"), strict=True):
        page.goto(f"/posts/{post['id']}")
        page.get_by_text("Edit it, or move it").click()
        page.locator("[name=caption]").fill(words)
    first, second = pages
    first.get_by_role("button", name="Save").click()
    expect(first.locator("p.content")).to_have_text("Words of one")
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_role("alert")).to_contain_text("Words of one")
    expect(second.locator("[name=caption]")).to_have_value("Words of two")
    second.get_by_role("button", name="Save").click()
    expect(second.locator("p.content").first).to_have_text("Words of two")
    assert posts_of(stack, job)[0]["content"] == "Words of two"
    viewer = signed_in("viewer", [profile])
    for path in ("/", f"/jobs/{job}", "/posts?q=words", f"/posts/{post['id']}"):
        check_page(viewer, path)
        buttons = [button.inner_text() for button in viewer.get_by_role("button").all()]
        assert set(buttons) <= {"Show"}, "who may only look is offered nothing to press"
    call(stack, "POST", f"/jobs/{job}/cancel")
