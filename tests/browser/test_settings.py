"""What a manager and an admin do: profiles, their settings, schedules, keys, webhooks, people."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.looks import check_page
from tests.browser.people import call, make_profile, sign_in_with_the_admin_key, upload
from tests.factories.files import FILES
from tests.servers.receiver import receiving
from tests.servers.stacks import RunningStack
from tests.timing.patience import wait_until

OpenPage = Callable[..., Page]
WRONG = "not-the-key"


def test_a_profile_is_made_its_wrong_key_refused_and_then_mended(
    stack: RunningStack, open_page: OpenPage
) -> None:
    page = open_page()
    sign_in_with_the_admin_key(stack, page)
    check_page(page, "/profiles")
    page.get_by_label("Name").fill("Made by hand")
    page.get_by_label("Id (optional)").fill("by-hand")
    page.get_by_role("button", name="Create the profile").click()
    page.get_by_role("heading", name="Made by hand").wait_for()
    page.get_by_label("Address of the API").fill(stack.facts()["sandbox_url"])
    page.get_by_label("Key").fill(WRONG)
    page.get_by_role("button", name="Try and save").click()
    expect(page.get_by_text("It was not saved")).to_be_visible()
    expect(page.locator("[aria-invalid]")).to_be_focused()
    shown = call(stack, "GET", "/profiles/by-hand/credentials")
    assert shown["source"] != "profile", "nothing was saved"
    page.get_by_label("Key").fill("sandbox-demo-key")
    page.get_by_role("button", name="Try and save").click()
    expect(page.get_by_text("It works:")).to_be_visible()
    expect(page.get_by_text("In effect everywhere in")).to_be_visible()
    check_page(page, "/profiles/by-hand")
    check_page(page, "/channels")
    check_page(page, "/accounts")
    page.goto("/profiles/by-hand")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Make a calendar").click()
    expect(page.locator(".secret")).to_contain_text("/calendar.ics?token=")
    page.get_by_role("button", name="I have it").click()
    page.get_by_role("button", name="Delete the profile").click()
    page.wait_for_url("**/profiles")
    expect(page.get_by_text("by-hand")).to_have_count(0)


def test_a_schedule_shows_its_next_times_as_one_types(
    stack: RunningStack, open_page: OpenPage
) -> None:
    make_profile(stack, "maple")
    facts = stack.facts()
    upload(stack, "maple", "a.png", FILES.png(7))
    page = open_page(timezone_id="Europe/Berlin")
    sign_in_with_the_admin_key(stack, page)
    check_page(page, "/schedules/new?profile=maple")
    page.get_by_label("Name").fill("Mornings")
    page.get_by_label("When (cron)").fill("61 9 * * *")
    expect(page.locator("[data-fire-times]")).to_contain_text("is not a cron expression")
    page.get_by_label("When (cron)").fill("30 9 * * mon")
    expect(page.locator("[data-fire-times] li")).to_have_count(10)
    expect(page.locator("[data-fire-times] li").first).to_contain_text("Monday")
    page.locator("input[name='playlist.integration_ids']").first.check()
    page.locator("input[name='playlist.media_ids']").first.check()
    page.get_by_role("button", name="Save the schedule").click()
    page.get_by_role("heading", name="Mornings").wait_for()
    expect(page.get_by_text("Europe/Berlin").first).to_be_visible()
    check_page(page, page.url.removeprefix(facts["web_url"]))
    page.get_by_text("Change what it publishes").click()
    expect(page.locator("input[name='playlist.media_ids']").first).to_be_checked()
    page.get_by_label("Caption").fill("Good morning")
    page.get_by_label("Not after").fill("2034-05-15T09:30")
    page.get_by_label("Days before").fill("3")
    with page.expect_navigation():
        page.get_by_role("button", name="Check and save").click()
    [saved] = call(stack, "GET", "/schedules", profile="maple")["items"]
    playlist = call(stack, "GET", f"/schedules/{saved['id']}")["playlist"]
    assert (playlist["caption"], playlist["cooldown_days"]) == ("Good morning", 3)
    page.get_by_text("Change what it publishes").click()
    expect(page.get_by_label("Not after")).to_have_value("2034-05-15T09:30")
    call(stack, "PATCH", f"/schedules/{saved['id']}", {"playlist": {**playlist, "caption": "Moin"}})
    page.get_by_label("Caption").fill("Good evening")
    page.get_by_role("button", name="Check and save").click()
    page.get_by_text("The schedule was changed since you saw it").wait_for()
    assert call(stack, "GET", f"/schedules/{saved['id']}")["playlist"]["caption"] == "Moin"
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("it is off").wait_for()
    check_page(page, "/schedules")
    page.get_by_role("link", name="Mornings").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/schedules")
    call(stack, "DELETE", "/profiles/maple?force=true")


def test_keys_webhooks_and_people_are_made_shown_once_and_ended(
    stack: RunningStack, open_page: OpenPage
) -> None:
    make_profile(stack, "juniper")
    page = open_page()
    sign_in_with_the_admin_key(stack, page)
    for path in ("/settings", "/keys", "/webhooks", "/users", "/audit"):
        check_page(page, path)
    page.goto("/keys")
    page.get_by_label("Name").fill("of the page")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator(".secret").inner_text()
    other = open_page()
    other.goto("/sign-in")
    other.get_by_label("API key").fill(key)
    other.get_by_role("button", name="Sign in").click()
    other.goto("/settings")
    expect(other.get_by_role("link", name="Webhooks")).to_have_count(0)
    page.get_by_role("button", name="I have it").click()
    page.locator("li", has_text="of the page").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("of the page")).to_have_count(0)
    other.goto("/settings")
    other.get_by_role("heading", name="Sign in").wait_for()
    page.goto("/users")
    page.get_by_label("Email").fill("new@pages.example")
    page.get_by_label("Name").first.fill("Newcomer")
    page.get_by_label("Juniper").first.check()
    page.get_by_role("button", name="Invite").click()
    expect(page.locator(".secret")).to_contain_text("/sign-in/link/")
    page.get_by_role("button", name="I have it").click()
    expect(page.locator("li", has_text="Newcomer")).to_contain_text("of juniper")
    page.get_by_text("Change Newcomer").click()
    page.get_by_role("button", name="All profiles").click()
    expect(page.locator("li", has_text="Newcomer")).to_contain_text("of all profiles")
    page.get_by_text("Change Newcomer").click()
    page.locator("li", has_text="Newcomer").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Newcomer")).to_have_count(0)
    page.goto("/audit")
    for done in ("create user", "delete user"):
        expect(page.get_by_text(done).first).to_be_visible()
    call(stack, "DELETE", "/profiles/juniper?force=true")


def test_a_webhook_is_made_and_a_delivery_sent_again(
    stack: RunningStack, open_page: OpenPage
) -> None:
    make_profile(stack, "poplar")
    page = open_page()
    sign_in_with_the_admin_key(stack, page)
    with receiving() as receiver:
        page.goto("/webhooks")
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_label("Poplar").check()
        page.get_by_role("button", name="Make a webhook").click()
        expect(page.locator(".secret")).to_contain_text("whsec_")
        secret = page.locator(".secret").inner_text()
        page.get_by_role("button", name="I have it").click()
        page.get_by_role("link", name=receiver.url).click()
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_role("cell", name="webhook.test")).to_be_visible()
        wait_until(lambda: len(receiver.heard) == 1)
        assert receiver.heard[0].verified(secret)["type"] == "webhook.test"
        page.goto("/webhooks")
        words = {"caption": "Told", "integration_ids": ["int-mastodon"]}
        call(stack, "POST", "/postiz/publish", words, profile="poplar")
        wait_until(lambda: len(receiver.heard) == 2)
        page.get_by_role("link", name=receiver.url).click()
        address = page.url

        def is_delivered() -> bool:
            page.goto(address)
            return page.get_by_text("delivered").count() > 0

        wait_until(is_delivered)
        page.get_by_role("button", name="Redeliver").first.click()
        wait_until(lambda: len(receiver.heard) == 3)
        check_page(page, address.removeprefix(stack.facts()["web_url"]))
        page.get_by_role("button", name="Delete").click()
        page.wait_for_url("**/webhooks")
    call(stack, "DELETE", "/profiles/poplar?force=true")
