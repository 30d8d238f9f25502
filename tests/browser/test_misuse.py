"""Pages that are used as nobody meant: without their scripts, twice, too late, or as another."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.people import call, make_profile
from tests.servers.stacks import RunningStack

OpenPage = Callable[..., Page]


def sign_in_with_the_admin_key(stack: RunningStack, page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("API key").fill(stack.facts()["admin_key"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="What needs me").wait_for()


def test_a_form_whose_script_has_not_run_writes_nothing_into_the_address(
    stack: RunningStack, open_page: OpenPage
) -> None:
    make_profile(stack, "alder")
    page = open_page(java_script_enabled=False)
    sign_in_with_the_admin_key(stack, page)
    page.goto("/profiles/alder")
    page.get_by_label("Address of the API").fill("https://postiz.example/public/v1")
    page.get_by_label("Key").fill("a-secret-key")
    page.get_by_role("button", name="Try and save").click()
    page.get_by_label("Key").press("Enter")
    assert page.url.endswith("/profiles/alder")
    expect(page.get_by_label("Key")).to_have_value("a-secret-key")
    call(stack, "DELETE", "/profiles/alder?force=true")
