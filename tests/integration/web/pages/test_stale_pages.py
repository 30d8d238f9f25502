"""What is pressed on a page that shows what was: it does nothing that its reader did not see."""

import json
import re
from html import unescape
from typing import Any

from shared.models import Post
from shared.posts import edits
from shared.posts.edits import Edit
from tests.factories.jobs import make_job, set_states
from tests.servers.api import Api, Reply
from tests.servers.browsers import Browser, make_user

ASKED = {"items": [{"caption": "seen"}], "integration_ids": ["int-mastodon"]}


def a_post(api: Api, state: str, **more: Any) -> str:
    make_job(api)
    set_states(api, state, **more)
    return str(api.posts()[0].id)


def press(browser: Browser, page: str, words: str) -> Reply:
    """As the page's script does: the call and the body that stand at the button."""
    [button] = re.findall(rf"<button ([^>]*)>{words}</button>", page)
    found = dict(re.findall(r"data-(call|body)=[\"']([^\"']*)[\"']", button))
    found |= dict(re.findall(r"data-(body)='([^']*)'", button))
    method, path = found["call"].split(" ")
    body = json.loads(unescape(found.get("body", "{}")))
    return browser.call(method, path.removeprefix("/api/v1"), json=body)


def test_nobody_approves_or_rejects_what_was_changed_since_they_looked(api: Api) -> None:
    api.post("/postiz/bulk-publish", {**ASKED, "requires_approval": True}, profile="acme")
    [post] = api.posts()
    browser = Browser.signed_in(api, make_user(api, role="manager"))
    seen = browser.open("GET", f"/posts/{post.id}").text
    assert api.call("PATCH", f"/posts/{post.id}", json={"caption": "unseen"}).status_code == 202
    refused = press(browser, seen, "Approve")
    assert (refused.status_code, refused.json["code"]) == (409, "changed_meanwhile")
    [revision] = re.findall(
        r'/reject"><input type="hidden" name="revision"[^>]*value="(\d+)"', seen
    )
    refused = browser.post(f"/posts/{post.id}/reject", {"revision": int(revision)})
    assert (refused.status_code, refused.json["code"]) == (409, "changed_meanwhile")
    assert api.posts()[0].state == "waiting_approval"
    newer = browser.open("GET", f"/posts/{post.id}").text
    assert press(browser, newer, "Approve").status_code == 202


def test_nobody_approves_with_all_of_a_job_an_edit_that_their_page_could_not_show_yet(
    api: Api,
) -> None:
    """It is under way while the page is read, and committed after it."""
    rows = [{"caption": "seen"}, {"caption": "seen, too"}]
    body = {**ASKED, "items": rows, "requires_approval": True}
    job = api.post("/postiz/bulk-publish", body, profile="acme").json["job"]["id"]
    first, _ = api.posts()
    browser = Browser.signed_in(api, make_user(api, role="manager"))
    with api.services.database.transaction() as session:
        session.get_one(Post, first.id, with_for_update=True)
        edits.edit_posts(session, {first.id: Edit(content="unseen")})
        pages = [browser.open("GET", path).text for path in (f"/jobs/{job}", "/")]
        assert "unseen" not in pages[0]
    for page, words in zip(pages, ("Approve all that wait", "Approve all of the job"), strict=True):
        press(browser, page, words)
        found = {post.content: post.state for post in api.posts()}
        assert found == {"unseen": "waiting_approval", "seen, too": "pending"}, words
    again = browser.open("GET", f"/jobs/{job}").text
    assert press(browser, again, "Approve all that wait").status_code == 202


def test_the_word_that_a_post_is_not_published_is_good_for_what_was_seen(api: Api) -> None:
    unknown = {"error_code": "may_have_been_sent", "error_message": "No answer"}
    post = a_post(api, "failed", **unknown)
    browser = Browser.signed_in(api, make_user(api, role="publisher"))
    seen = browser.open("GET", f"/posts/{post}").text
    assert press(browser, seen, "Retry: it is not published").status_code == 202
    set_states(api, "failed", **unknown)
    refused = press(browser, seen, "Retry: it is not published")
    assert (refused.status_code, refused.json["code"]) == (409, "changed_meanwhile")


def test_a_post_that_postiz_has_waiting_too_long_is_retried_on_its_page(api: Api) -> None:
    post = a_post(api, "scheduled", error_code="overdue_in_postiz", error_message="It is over")
    browser = Browser.signed_in(api, make_user(api, role="publisher"))
    assert "Retry" in browser.open("GET", f"/posts/{post}").text
    set_states(api, "scheduled", error_code=None)
    assert "Retry" not in browser.open("GET", f"/posts/{post}").text
