"""`python -m tests.browser.screenshots FOLDER`: a picture of each page, for README and docs.

On a stack of its own with two clients' posts; `make screenshots` takes them again.
"""

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import FLAGS, PROGRAM
from tests.browser.people import call, make_profile, sign_in_with_the_admin_key, upload
from tests.factories.files import FILES
from tests.servers.stacks import RunningStack
from tests.timing.patience import wait_until

CLIENTS = ("harbour-bakery", "northwind-bikes")
CAPTIONS = (
    "Sourdough, out of the oven at six",
    "How we fold a croissant, in forty seconds",
    "Meet the team behind the counter",
    "Cinnamon rolls are back this weekend",
    "What our flour travels: twelve kilometres",
    "Behind the scenes on a Saturday morning",
)
CHANNELS = ("int-mastodon", "int-linkedin", "int-youtube")
PAGES: Mapping[str, str] = {
    "home": "/",
    "compose": f"/compose?profile={CLIENTS[0]}",
    "calendar": "/calendar?view=week",
    "jobs": "/jobs",
    "posts": "/posts",
    "media": "/media",
    "schedules": "/schedules",
    "channels": "/channels",
    "accounts": "/accounts",
    "profiles": "/profiles",
    "profile": f"/profiles/{CLIENTS[0]}",
    "keys": "/keys",
    "webhooks": "/webhooks",
    "users": "/users",
    "audit": "/audit",
    "settings": "/settings",
}
WIDE: Mapping[str, Any] = {"viewport": {"width": 1200, "height": 750}}
PHONE: Mapping[str, Any] = {"viewport": {"width": 390, "height": 760}}


def main() -> int:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="pressroom-pictures-"))
    try:
        with RunningStack(home / "home") as stack, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which(PROGRAM), args=list(FLAGS)
            )
            _take_all(stack, browser, folder)
            browser.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


def _take_all(stack: RunningStack, browser: Browser, folder: Path) -> None:
    for client in CLIENTS:
        make_profile(stack, client)
    job, post = _publish(stack, CLIENTS[0])
    _plan(stack, CLIENTS[1])
    link = _ask_for_approval(stack)
    page = _sign_in(stack, browser)
    for name, path in {**PAGES, "job": f"/jobs/{job}", "post": f"/posts/{post}"}.items():
        page.goto(path)
        page.wait_for_timeout(500)  # for pictures and what a script adds
        page.screenshot(path=folder / f"{name}.png")
    phone = browser.new_page(base_url=stack.facts()["web_url"], **PHONE)
    phone.goto(link)
    phone.screenshot(path=folder / "approval.png")


def _upload(stack: RunningStack, profile: str) -> Sequence[str]:
    return [
        upload(stack, profile, f"{caption.split(',')[0]}.mp4", FILES.mp4(40 * shade))
        for shade, caption in enumerate(CAPTIONS)
    ]


def _publish(stack: RunningStack, profile: str) -> tuple[str, str]:
    """A job that has ended, and one of its posts."""
    media = _upload(stack, profile)
    items = [{"caption": c, "media_ids": [m]} for c, m in zip(CAPTIONS, media, strict=True)]
    body: dict[str, Any] = {"items": items, "integration_ids": CHANNELS}
    body |= {"schedule_interval_minutes": 0, "youtube_title": "From the oven"}
    job = str(call(stack, "POST", "/postiz/bulk-publish", body, profile=profile)["job"]["id"])

    def has_ended() -> bool:
        posts = call(stack, "GET", f"/jobs/{job}/posts")["items"]
        return all(each["state"] in {"published", "failed"} for each in posts)

    wait_until(has_ended)
    return job, str(call(stack, "GET", f"/jobs/{job}/posts")["items"][0]["id"])


def _plan(stack: RunningStack, profile: str) -> None:
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=3)
    items = [{"caption": each} for each in CAPTIONS]
    body: dict[str, Any] = {"items": items, "integration_ids": CHANNELS[:2]}
    body |= {"schedule_date": at.isoformat(), "schedule_interval_minutes": 300}
    call(stack, "POST", "/postiz/bulk-publish", body, profile=profile)
    bulk = {"items": items[:1], "integration_ids": CHANNELS[:1]}
    every_day = {"name": "Every morning", "cron": "30 9 * * *", "timezone": "Europe/Berlin"}
    call(stack, "POST", "/schedules", {**every_day, "bulk": bulk}, profile=profile)


def _ask_for_approval(stack: RunningStack) -> str:
    items = [{"caption": each} for each in CAPTIONS[:2]]
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body: dict[str, Any] = {"items": items, "integration_ids": CHANNELS[:1]}
    body |= {"requires_approval": True, "schedule_date": later}
    made = call(stack, "POST", "/postiz/bulk-publish", body, profile=CLIENTS[0])
    name = {"name": "Harbour Bakery"}
    path = f"/jobs/{made['job']['id']}/approval-links"
    return str(call(stack, "POST", path, name, profile=CLIENTS[0])["url"])


def _sign_in(stack: RunningStack, browser: Browser) -> Page:
    page = browser.new_page(base_url=stack.facts()["web_url"], **WIDE)
    sign_in_with_the_admin_key(stack, page)
    return page


if __name__ == "__main__":
    sys.exit(main())
