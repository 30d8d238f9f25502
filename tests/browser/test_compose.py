"""Compose and media: from clips that are dropped in, or a CSV, to posts that are published."""

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, Route, TimeoutError, expect

from shared.domain.networks.caption_length import plain_length, weighted_length
from tests.browser.looks import check_page
from tests.browser.people import call, drop, lose_the_first_answer, make_profile
from tests.factories.files import FILES
from tests.servers.http_server import http_server
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE, wait_until

expect.set_options(timeout=PATIENCE * 1000)
#: More than the first pieces of an upload are together.
ROOM = 3 * 1024**2
#: What X counts otherwise than its characters, and what it does not.
ODD = "Ünïcode, 日本語, 👩‍👩‍👧 🇩🇪 ✨ and https://example.com/a/long/address?with=words here"


def make_long_clip() -> bytes:
    """A clip of several pieces: its last box is room that players leave out."""
    return FILES.mp4(200) + ROOM.to_bytes(4, "big") + b"free" + bytes(ROOM - 8)


def row(page: Page, number: int) -> Any:
    return page.locator(f"#row-{number - 1}")


def wait_until_published(stack: RunningStack, job: str, posts: int) -> None:
    """On their networks: of a thread its first part, since Postiz tells of no other."""

    def addresses() -> list[str]:
        listed = call(stack, "GET", f"/jobs/{job}/posts")["items"]
        return [post["release_url"] for post in listed if post["release_url"]]

    wait_until(lambda: len(addresses()) == posts, lambda: str(addresses()))


def job_of(page: Page) -> str:
    page.wait_for_url(re.compile("/jobs/[0-9]+$"))
    return page.url.rpartition("/")[2]


def press(page: Page, words: str) -> None:
    page.get_by_role("button", name=words).click()


def test_clips_are_dropped_in_planned_and_published_once(
    stack: RunningStack, signed_in: Callable[..., Page]
) -> None:
    call(stack, "POST", "/profiles", {"id": "alder", "name": "Alder"})
    page = signed_in("manager", ["alder"])
    check_page(page, "/compose")
    press(page, "Use the sandbox")
    page.get_by_label("Demo on Mastodon").check()
    page.get_by_label("Demo on X").check()
    drop(page, {f"clip {number}.mp4": FILES.mp4(210 + number) for number in (10, 2)})
    page.get_by_text("2 of 2 files are here").wait_for()
    expect(row(page, 1)).to_contain_text("clip 2.mp4")

    offsets = _upload_over_a_broken_line(page)
    assert offsets[0] == 0, "from its beginning"
    assert offsets.count(0) == 1, "and after the break from where it was"
    drop(page, {"the same as clip 2.mp4": FILES.mp4(212)})
    expect(row(page, 4)).to_contain_text("was here already")

    page.get_by_label("Caption of every clip").fill("For all of them")
    row(page, 1).get_by_label("Caption", exact=True).fill(ODD)
    shown = f"mastodon {plain_length(ODD)} / 500x {weighted_length(ODD)} / 280"
    expect(row(page, 1).locator(".counts")).to_have_text(shown)
    row(page, 2).locator("summary").click()
    row(page, 2).get_by_label("Caption on x").fill("x" * 281)
    expect(row(page, 2).locator(".counts")).to_contain_text("x 281 / 280: too long")
    row(page, 2).get_by_label("Caption on x").fill("Short")
    press(page, "Add a first comment, or a part of a thread")
    row(page, 2).get_by_label("First comment").fill("The link is here")
    page.get_by_label("one after another").check()
    page.get_by_label("Minutes between two", exact=True).fill("0")

    page.reload()
    drop(page, {f"clip {number}.mp4": FILES.mp4(210 + number) for number in (10, 2)})
    page.get_by_text("In the list already: 2.").wait_for()
    page.get_by_text("4 of 4 files are here").wait_for()
    expect(row(page, 1).get_by_label("Caption", exact=True)).to_have_value(ODD)
    press(page, "Show the plan")
    page.get_by_text("This is what will go out").wait_for()
    expect(page.locator("[data-fact=posts]")).to_have_text("8")
    expect(page.locator("#days")).to_contain_text("the same as clip 2.mp4")
    lose_the_first_answer(page, "**/postiz/bulk-publish*")
    press(page, "Publish 8 posts")
    job = job_of(page)
    wait_until_published(stack, job, 8)
    bulks = call(stack, "GET", "/jobs?kind=bulk_publish", profile="alder")["items"]
    assert [each["id"] for each in bulks] == [job]
    posts = call(stack, "GET", f"/jobs/{job}/posts")["items"]
    assert sorted(post["content"] for post in posts) == sorted(
        [ODD] * 2 + ["Short"] + ["For all of them"] * 5
    )
    assert [post["thread"][0]["content"] for post in posts if post["thread"]] == [
        "The link is here"
    ] * 2
    page.goto("/compose")
    expect(page.locator(".item")).to_have_count(0)
    check_page(page, "/compose")


def test_what_would_be_undone_by_the_scripts_can_be_chosen_once_they_are_there(
    stack: RunningStack, signed_in: Callable[..., Page]
) -> None:
    make_profile(stack, "ginkgo")
    page = signed_in("publisher", ["ginkgo"])
    page.route("**/static/**/*.js", lambda _: None)
    page.goto("/compose", wait_until="commit")
    box = page.get_by_label("Demo on Mastodon")
    box.wait_for()
    with pytest.raises(TimeoutError):
        box.check(timeout=2000)
    page.unroute("**/static/**/*.js")
    page.reload()
    box.check()
    expect(box).to_be_checked()


def test_a_reload_in_the_middle_of_publishing_publishes_nothing_twice(
    stack: RunningStack, signed_in: Callable[..., Page]
) -> None:
    make_profile(stack, "cedar")
    page = signed_in("publisher", ["cedar"])
    page.goto("/compose")
    page.get_by_label("Demo on Mastodon").check()
    page.get_by_label("Demo on X").check()
    drop(page, {f"{number}.mp4": FILES.mp4(240 + number) for number in range(3)})
    page.get_by_label("Caption of every clip").fill("In the middle")
    press(page, "Show the plan")
    page.get_by_text("This is what will go out").wait_for()
    held = _hold_the_first_answer(page)
    press(page, "Publish 6 posts")
    wait_until(lambda: page.evaluate("1") == 1 and len(held) == 1)
    page.reload()
    job = job_of(page)

    def are_published() -> bool:
        page.reload()
        told = page.locator(".bars small").all_inner_texts()
        counts = call(stack, "GET", f"/jobs/{job}")["counts"]
        well = sum(int(words.split(" of ")[0]) for words in told)
        assert well <= counts.get("scheduled", 0) + counts.get("published", 0), (told, counts)
        return counts == {"published": 6} and told == ["3 of 3"] * 2

    wait_until(are_published, lambda: page.locator("#live").inner_text())
    bulks = call(stack, "GET", "/jobs?kind=bulk_publish", profile="cedar")["items"]
    assert [each["id"] for each in bulks] == [job]
    url = stack.facts()["sandbox_url"].removesuffix("/public/v1")
    sends = requests.get(f"{url}/_sandbox/sends", timeout=PATIENCE).json()
    assert sum("In the middle" in str(each) for each in sends) == 6


def _hold_the_first_answer(page: Page) -> list[str]:
    """The posts are accepted; the page still waits to hear of it."""
    held: list[str] = []

    def deal(route: Route) -> None:
        if held or "dry_run" in route.request.url:
            return route.continue_()
        held.append(route.fetch().text())
        return None

    page.route("**/postiz/bulk-publish*", deal)
    return held


def test_clips_at_addresses_are_fetched_and_rows_with_errors_can_be_left_out(
    stack: RunningStack, signed_in: Callable[..., Page]
) -> None:
    make_profile(stack, "linden")
    page = signed_in("publisher", ["linden"])
    page.goto("/compose")
    page.get_by_label("Demo on Mastodon").check()
    page.get_by_label("Caption of every clip").fill("From an address")
    page.get_by_text("Clips that stand at addresses").click()
    with http_server(Clip) as url:
        page.get_by_label("Addresses, one a line").fill(f"{url}/clip.mp4\nftp://nowhere/clip.mp4")
        press(page, "add a row for each")
        press(page, "Show the plan")
        page.get_by_text("1 row has errors").wait_for()
        expect(page.locator("#publish")).to_be_disabled()
        page.get_by_label("leave out the rows with errors").check()
        press(page, "Publish 1 post")
        job = job_of(page)
        wait_until_published(stack, job, 1)
    [post] = call(stack, "GET", f"/jobs/{job}/posts")["items"]
    assert len(post["media_ids"]) == 1


class Clip(BaseHTTPRequestHandler):
    """A server whose every address is a clip."""

    def do_GET(self) -> None:
        content = FILES.mp4(250)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _upload_over_a_broken_line(page: Page) -> list[int]:
    """The offsets that were asked for, of a file whose second piece is lost once."""
    offsets: list[int] = []

    def watch(route: Route) -> None:
        if route.request.method != "PATCH":
            return route.continue_()
        offsets.append(int(route.request.headers["upload-offset"]))
        if len(offsets) == 2:
            return route.abort()
        return route.continue_()

    page.route("**/api/v1/uploads/*", watch)
    drop(page, {"long.mp4": make_long_clip()})
    page.get_by_text("3 of 3 files are here").wait_for()
    page.unroute("**/api/v1/uploads/*")
    assert offsets[1] == offsets[2] > 0
    return offsets


def test_a_csv_with_three_bad_rows_is_mended_in_place(
    stack: RunningStack, signed_in: Callable[..., Page], tmp_path: Path
) -> None:
    make_profile(stack, "rowan")
    page = signed_in("publisher", ["rowan"])
    page.goto("/compose")
    page.get_by_label("Demo on X").check()
    table = tmp_path / "clips.csv"
    table.write_text(
        "Text;File;When;Channels;Client\n"
        '"Fine; with a semicolon";first.mp4;2026-01-01 9:00;;Rowan\n'
        "At no time;first.mp4;tomorrow;int-mastodon;rowan\n"
        f"{'y' * 300};second.mp4;2026-01-01 9:00;;\n"
        "Whose channel;;2026-01-01 9:00;int-nobody;\n"
        "Of another client;first.mp4;2026-01-01 9:00;;Rowan & Sons\n",
        encoding="utf-8",
    )
    drop(page, {"second.mp4": FILES.mp4(230), "of a phone.mov": b"moov"})
    expect(page.locator("#notice")).to_contain_text("Left out (1): of a phone.mov.")
    page.get_by_text("1 of 1 files are here").wait_for()
    older = tmp_path / "older.csv"
    older.write_bytes("Text,File\nCafé,first.mp4\n".encode("cp1252"))
    page.set_input_files("#files", older)
    page.get_by_text("older.csv is not in UTF-8").wait_for()
    empty, other = tmp_path / "an empty.csv", tmp_path / "other.csv"
    empty.touch()
    other.write_text("Text,File\nAnother,first.mp4\n", encoding="utf-8")
    page.set_input_files("#files", [empty, table])
    page.get_by_text("an empty.csv has no rows").wait_for()
    expect(page.get_by_label("When becomes")).to_have_value("at")
    page.set_input_files("#files", other)
    press(page, "Take over 5 rows")
    page.get_by_text("other.csv: 1 rows").wait_for()
    press(page, "Leave it")
    expect(page.locator("#notice")).to_have_text("Rows of other profiles, left out: 1.")
    page.get_by_text("4 rows have errors").wait_for()
    drop(page, {"first.mp4": FILES.mp4(220)})
    page.get_by_text("3 of 3 files are here").wait_for()
    press(page, "Show the plan")
    page.get_by_text("3 rows have errors").wait_for()
    expect(page.locator(".item")).to_have_count(3)
    row(page, 2).get_by_label("Time").fill("2026-01-01T10:00")
    row(page, 3).get_by_label("Caption", exact=True).fill("Shorter")
    row(page, 4).get_by_label("int-nobody (not known)").uncheck()
    row(page, 4).get_by_label("Demo on Mastodon").check()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    press(page, "Show the plan")
    page.get_by_text("This is what will go out").wait_for()
    press(page, "Publish 4 posts")
    wait_until_published(stack, job_of(page), 4)

    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            return route.continue_()
        refused.append(route.request.url)
        return route.fulfill(status=429)

    page.route("**/thumbnail", refuse_once)
    page.goto("/media?q=second")
    expect(page.locator(".media li")).to_have_count(1)
    wait_until(lambda: page.locator(".media img").evaluate("image => image.naturalWidth") > 0)
    assert refused, "as of many pictures at once some are: it was asked for again"
    check_page(page, "/media")
    page.goto("/media?q=second")
    page.on("dialog", lambda dialog: dialog.accept())
    press(page, "Delete")
    page.get_by_text("There are no such files").wait_for()
