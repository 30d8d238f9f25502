"""Pages that are used as nobody meant: without their scripts, twice, too late, or as another."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.people import (
    call,
    drop,
    lose_the_first_answer,
    make_profile,
    sign_in_with_the_admin_key,
)
from tests.factories.files import FILES
from tests.servers.stacks import RunningStack

OpenPage = Callable[..., Page]


@pytest.fixture
def larch(stack: RunningStack) -> Iterator[str]:
    make_profile(stack, "larch")
    yield "larch"
    call(stack, "DELETE", "/profiles/larch?force=true")


def test_a_form_whose_script_has_not_run_writes_nothing_into_the_address(
    stack: RunningStack, open_page: OpenPage, larch: str
) -> None:
    page = open_page(java_script_enabled=False)
    sign_in_with_the_admin_key(stack, page)
    page.goto("/profiles/larch")
    page.get_by_label("Address of the API").fill("https://postiz.example/public/v1")
    page.get_by_label("Key").fill("a-secret-key")
    page.get_by_role("button", name="Try and save").click()
    page.get_by_label("Key").press("Enter")
    assert page.url.endswith("/profiles/larch")
    expect(page.get_by_label("Key")).to_have_value("a-secret-key")


def test_a_page_that_is_old_changes_only_what_was_touched_on_it(
    stack: RunningStack, open_page: OpenPage, larch: str
) -> None:
    page = open_page()
    sign_in_with_the_admin_key(stack, page)
    page.goto("/profiles/larch")
    meanwhile = {"requires_approval": True, "name": "Named by another"}
    call(stack, "PATCH", "/profiles/larch", meanwhile)
    page.get_by_label("Description").fill("Typed here")
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()
    saved = call(stack, "GET", "/profiles/larch")
    assert {**saved, **meanwhile, "description": "Typed here"} == saved
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()  # of nothing


def test_what_is_pressed_again_after_a_lost_answer_is_done_once(
    stack: RunningStack, open_page: OpenPage
) -> None:
    page = open_page()
    sign_in_with_the_admin_key(stack, page)
    page.goto("/profiles")
    lose_the_first_answer(page, "**/api/v1/profiles")
    page.get_by_label("Name").fill("Spruce once")
    page.get_by_role("button", name="Create the profile").click()
    expect(page.locator("#notice")).to_contain_text("does not answer")
    page.get_by_role("button", name="Create the profile").click()
    page.get_by_role("heading", name="Spruce once").wait_for()
    made = [each["id"] for each in call(stack, "GET", "/profiles?limit=1000")["items"]]
    [profile] = [each for each in made if each.startswith("spruce-once")]
    call(stack, "DELETE", f"/profiles/{profile}?force=true")


def test_who_signs_in_anew_goes_on_where_they_were_but_not_as_somebody_else(
    stack: RunningStack, signed_in: OpenPage, larch: str
) -> None:
    page = signed_in("manager", [larch])
    page.goto("/profiles/larch")
    page.get_by_label("Description").fill("Typed before")
    old = page.context.cookies()
    other = page.context.new_page()
    compose = page.context.new_page()
    compose.goto("/compose?profile=larch")
    sign_in_as_before(stack, other, page, compose)
    compose.get_by_role("button", name="Try 2 again").click()
    compose.get_by_text("2 of 2 files are here").wait_for()
    compose.close()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#notice")).to_contain_text("You have signed in anew")
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()
    assert call(stack, "GET", "/profiles/larch")["description"] == "Typed before"
    assert old != page.context.cookies()
    sign_in_with_the_admin_key(stack, other)
    page.get_by_label("Description").fill("Typed by another")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#notice")).to_contain_text("Somebody else has signed in")
    assert call(stack, "GET", "/profiles/larch")["description"] == "Typed before"


def sign_in_as_before(stack: RunningStack, other: Page, page: Page, compose: Page) -> None:
    """In another tab, after the session has ended while somebody composes."""
    person = page.locator("meta[name=csrf]").get_attribute("data-person") or ""
    email = call(stack, "GET", f"/users/{person.removeprefix('user ')}")["email"]
    call(stack, "POST", f"/users/{person.removeprefix('user ')}/end-sessions")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#notice")).to_contain_text("You are no longer signed in")
    drop(compose, {f"{shade}.mp4": FILES.mp4(shade) for shade in (120, 130)})
    expect(compose.locator("#upload-state")).to_contain_text("2 are missing")
    other.goto("/sign-in")
    other.get_by_label("Email").fill(email)
    other.get_by_label("Password").fill("correct horse battery")
    other.get_by_role("button", name="Sign in").click()
    other.get_by_role("heading", name="What needs me").wait_for()


def test_a_plan_is_of_what_stands_on_the_page_and_faults_stay_with_their_rows(
    stack: RunningStack, signed_in: OpenPage
) -> None:
    make_profile(stack, "tamarack")
    page = signed_in("publisher", ["tamarack"])
    page.goto("/compose")
    page.get_by_label("Demo on X").check()
    for words in ("x" * 300, "Right", "y" * 300):
        page.get_by_role("button", name="add a post without a clip").click()
        page.locator(".item").last.get_by_label("Caption", exact=True).fill(words)
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#plan-state")).to_contain_text("2 rows have errors")
    page.locator("#row-0").get_by_role("button", name="Remove").click()
    expect(page.locator(".item.wrong")).to_have_count(1)
    expect(page.locator(".item").get_by_label("Caption", exact=True)).to_have_value("y" * 300)
    page.locator(".item").get_by_label("Caption", exact=True).fill("Mended")
    page.get_by_label("leave out the rows with errors").check()
    expect(page.locator("#publish")).to_be_disabled()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/bulk-publish?dry_run=true", hold)
    page.get_by_label("only rows with errors").uncheck()
    with page.expect_request("**/bulk-publish?dry_run=true"):
        page.get_by_role("button", name="Show the plan").click()
    page.locator(".item").first.get_by_label("Caption", exact=True).fill("Typed meanwhile")
    held[0].continue_()
    expect(page.locator("#plan-state")).to_contain_text("Something has changed since the plan")
    expect(page.locator("#publish")).to_be_disabled()
    page.unroute("**/bulk-publish?dry_run=true")
    page.locator("#row-0").get_by_role("button", name="Move this row down").press("Enter")
    expect(page.locator("#row-1").get_by_label("Caption", exact=True)).to_be_focused()
    page.locator("#row-1").get_by_role("button", name="Move this row up").press("Enter")
    expect(page.locator("#row-0").get_by_label("Caption", exact=True)).to_be_focused()
    page.get_by_role("button", name="Show the plan").press("Enter")
    expect(page.locator("#plan-state")).to_contain_text("This is what will go out")
    expect(page.get_by_role("button", name="Show the plan")).to_be_focused()
    other = page.context.new_page()
    other.goto("/compose")
    other.get_by_label("Caption of every clip").fill("Typed in another tab")
    expect(page.locator("#notice")).to_contain_text("open in another tab too")
    other.close()
    page.get_by_label("at times of the day").check()
    page.get_by_role("textbox", name="Times of the day").fill("09:00")
    page.get_by_text("More about times").click()
    page.get_by_label("Posts of a channel a day, at most").fill("1")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#plan-state")).to_contain_text("This is what will go out")
    times = {"slots": ["09:00"], "daily_cap_per_integration": 1}  # else it may be of another day
    body = {"items": [{"caption": "Sooner"}], "integration_ids": ["int-x"], **times}
    call(stack, "POST", "/postiz/bulk-publish", body, profile="tamarack")
    page.locator("#publish").click()
    expect(page.locator("#notice")).to_contain_text("times of the plan have passed or were taken")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#plan-state")).to_contain_text("This is what will go out")
    page.locator("#publish").click()
    page.wait_for_url("**/jobs/*")
    call(stack, "POST", "/profiles/tamarack/cancel")
