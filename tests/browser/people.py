"""What people do in the tests of pages; calls of the API, as the admin; and who is invited."""

import itertools
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import requests
from playwright.sync_api import Page, Route

from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE

_DROP = """files => {
    const transfer = new DataTransfer();
    for (const [name, content] of Object.entries(files)) {
        const bytes = Uint8Array.from(atob(content), each => each.charCodeAt(0));
        transfer.items.add(new File([bytes], name));
    }
    const event = new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true});
    document.getElementById("drop").dispatchEvent(event);
}"""
_numbers = itertools.count(1)


def call(
    stack: RunningStack, method: str, path: str, body: Any = None, *, profile: str = ""
) -> Any:
    facts = stack.facts()
    headers = {"Authorization": f"Bearer {facts['admin_key']}"}
    if profile:
        headers["X-Profile-Id"] = profile
    url = f"{facts['web_url']}/api/v1{path}"
    reply = requests.request(method, url, json=body, headers=headers, timeout=PATIENCE)
    assert reply.ok, reply.text
    return reply.json() if reply.content else None


def upload(stack: RunningStack, profile: str, name: str, content: bytes) -> str:
    """The medium's id."""
    facts = stack.facts()
    headers = {"Authorization": f"Bearer {facts['admin_key']}", "X-Profile-Id": profile}
    url, files = f"{facts['web_url']}/api/v1/postiz/upload", {"file": (name, content)}
    reply = requests.post(url, headers=headers, files=files, timeout=PATIENCE)
    assert reply.ok, reply.text
    return str(reply.json()["media"]["id"])


def make_profile(stack: RunningStack, profile: str) -> None:
    """A profile that publishes to the stack's sandbox, which other tests' pages list too.

    A tree's name: a word of the pages would be found where a test looks for that word.
    """
    postiz = {"api_url": stack.facts()["sandbox_url"], "api_key": "sandbox-demo-key"}
    body = {"id": profile, "name": profile.title(), "tts_settings": {"postiz": postiz}}
    call(stack, "POST", "/profiles", body)


def invite(stack: RunningStack, role: str, profiles: list[str] | None = None) -> str:
    """The address at which a new person sets a password; `profiles` None: all."""
    person = {"email": f"{role}-{next(_numbers)}@example.com", "name": role.title(), "role": role}
    if profiles is not None:
        person["profile_ids"] = profiles  # type: ignore[assignment]
    link: str = call(stack, "POST", "/users", person)["link"]
    return link


def sign_in_with_the_admin_key(stack: RunningStack, page: Page) -> None:
    """And says yes to whatever the pages ask."""
    page.goto("/sign-in")
    page.get_by_label("API key").fill(stack.facts()["admin_key"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="What needs me").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())


def lose_the_first_answer(page: Page, address: str) -> None:
    """To what is posted there, dry runs aside: it is done, and the page does not hear of it."""
    lost: list[str] = []

    def deal(route: Route) -> None:
        if lost or route.request.method != "POST" or "dry_run" in route.request.url:
            return route.continue_()
        lost.append(route.fetch().text())
        return route.abort()

    page.route(address, deal)


def drop(page: Page, files: Mapping[str, bytes]) -> None:
    """As if they were dragged in from a folder."""
    page.evaluate(_DROP, {name: b64encode(content).decode() for name, content in files.items()})
