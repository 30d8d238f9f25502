"""The page of an approval link, as somebody without a key meets it, with and without bad intent."""

import re
import uuid
from collections.abc import Iterator
from html import unescape
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select, text, update

from shared.approvals import links, shown_posts
from shared.models import ApprovalLink, Post, Profile
from tests.factories.files import FILES
from tests.factories.jobs import make_job
from tests.servers.api import Api, Reply
from tests.servers.browsers import Browser
from tests.servers.limits import low_limits
from web.approvals import page as approval_page

NEW = "The new <b>text</b> & more"
#: Wrong links that an address may try in a minute, in the tests of that.
MOST = 3


def make_link(api: Api, job: str, **body: Any) -> str:
    """The path of a new link."""
    made = api.post(f"/jobs/{job}/approval-links", {"name": "Client", **body})
    assert made.status_code == 201, made.text
    return str(urlsplit(made.json["url"]).path)


def ask(api: Api, count: int = 1, **more: Any) -> tuple[list[Post], str]:
    """Posts that wait for approval, and the path of a link."""
    job = make_job(api, count, requires_approval=True, **more)
    return api.posts()[-count:], make_link(api, job)


def edit(api: Api, post: Post, **body: Any) -> None:
    assert api.call("PATCH", f"/posts/{post.id}", json=body).status_code == 202


class Reader:
    """Somebody with a link, who sees a page and presses its buttons."""

    def __init__(self, api: Api, path: str) -> None:
        self.browser, self.path = Browser(api), path
        self.browser.client.environ_base["REMOTE_ADDR"] = str(IPv6Address(uuid.uuid4().int))
        self.page = self.browser.open("GET", path)

    def press(self, decision: str, *posts: Post, note: str = "", **more: str) -> Reply:
        """What the form holds that shows these posts: their revisions as the page has them."""
        found = re.findall(r'name="csrf" value="([^"]+)"', self.page.text)
        shown = dict(re.findall(r'name="seen" value="(\d+):(\d+)"', self.page.text))
        seen = [f"{post.id}:{shown.get(str(post.id), 1)}" for post in posts]
        csrf = found[0] if found else ""
        form = {"csrf": csrf, "decision": decision, "note": note, "seen": seen, **more}
        return self.browser.open("POST", self.path, data=form)


def code_of(page: Reply) -> str | None:
    found = re.search(r'role="alert" data-code="([^"]*)"', page.text)
    return found[1] if found else None


def states(api: Api) -> list[str]:
    return [post.state for post in api.posts()]


def test_the_page_shows_exactly_what_goes_out(api: Api) -> None:
    picture = api.upload(FILES.png(3), name="logo & co.png", profile="acme").json["media"]["id"]
    item = {"caption": NEW, "media_ids": [picture]}
    more: dict[str, Any] = {"timezone": "Europe/Berlin", "schedule_date": "2031-08-01T18:30"}
    [post], path = ask(api, items=[item], **more)
    page = Reader(api, path).page
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert NEW in unescape(page.text)
    assert NEW not in page.text, "it is escaped"
    for shown in ("mastodon", "Fri 01 August 2031, 18:30 (Europe/Berlin, UTC+02:00)"):
        assert shown in page.text, shown
    assert "logo & co.png, image/png" in unescape(page.text)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    [lasts] = re.findall(r"Max-Age=(\d+)", page.headers["Set-Cookie"])
    assert int(lasts) >= links.LONGEST.total_seconds(), "while the page stays open"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    image = Browser(api).open("GET", f"{path}/media/{picture}")
    assert (image.mimetype, image.data) == ("image/png", FILES.png(3))
    assert image.headers["X-Content-Type-Options"] == "nosniff"
    other = api.upload(FILES.png(4), profile="acme").json["media"]["id"]
    for unshown in (other, "999999", "x", "../../etc"):
        assert Browser(api).open("GET", f"{path}/media/{unshown}").status_code == 404, unshown
    assert post.state == "waiting_approval"


def watch(api: Api, address: str, asked: str) -> Reply:
    """Read to its end: until it is closed it takes a download's place."""
    reply = Browser(api).open("GET", address, headers={"Range": asked} if asked else {})
    reply.get_data()
    reply.close()
    return reply


def test_a_clip_is_watched_in_parts_before_it_is_approved(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval_page, "_PART", 100)
    content = FILES.mp4(7)
    clip = api.upload(content, name="a <clip>.mp4", profile="acme").json["media"]["id"]
    _, path = ask(api, items=[{"media_ids": [clip]}])
    page = Reader(api, path).page.text
    assert f'<video controls preload="none" src="{path}/media/{clip}"' in page
    assert "a &lt;clip&gt;.mp4" in page and "<clip>" not in page
    address, size = f"{path}/media/{clip}", len(content)
    for asked, begin, end in (("0-", 0, 100), ("50-69", 50, 70), (f"{size - 9}-", size - 9, size)):
        part = watch(api, address, f"bytes={asked}")
        assert (part.status_code, part.data) == (206, content[begin:end]), asked
        assert part.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{size}"
        assert part.mimetype == "video/mp4"
    for odd in ("bytes=-10", "bytes=0-1,5-6", f"bytes={size}-", "bytes=x", "apples=1-2"):
        assert watch(api, address, odd).status_code in {200, 206, 416}, odd
    assert watch(api, address, "").data == content


def test_a_decision_is_logged_with_the_link_s_name_and_counted(api: Api) -> None:
    [first, second], path = ask(api, 2)
    reader = Reader(api, path)
    approved = reader.press("approve", first)
    assert (approved.status_code, approved.headers["Location"]) == (303, f"{path}#post-{first.id}")
    assert reader.press("reject", second, note="Wrong <logo>").status_code == 303
    assert states(api) == ["pending", "cancelled"]
    shown = api.get(f"/posts/{second.id}").json
    assert shown["error"]["message"] == "Wrong <logo>"
    assert shown["timeline"][-1]["detail"] == "by the link 'Client': Wrong <logo>"
    after = Reader(api, path).page.text
    assert "Approved: it goes out at its time" in after
    assert "Rejected: Wrong &lt;logo&gt;" in after
    entry = api.get("/audit").json["items"][0]
    assert entry["actor"] == {"kind": "approval_link", "id": "1", "name": "Client"}
    assert (entry["route"], entry["profile_ids"]) == ("/approve/<token>", ["acme"])
    [link] = api.get(f"/jobs/{first.job_id}/approval-links").json["items"]
    assert (link["opened"], link["decided"]) == (2, 2)


def test_nobody_approves_what_they_did_not_see(api: Api) -> None:
    [first, second], path = ask(api, 2)
    reader = Reader(api, path)
    edit(api, first, caption=NEW)
    refused = reader.press("approve", first, note="fine")
    assert (refused.status_code, code_of(refused)) == (409, "changed_meanwhile")
    assert NEW in unescape(refused.text)
    assert ">fine</textarea>" in refused.text
    both = reader.press("approve", first, second)
    assert (both.status_code, code_of(both)) == (409, "changed_meanwhile")
    assert states(api) == ["waiting_approval", "pending"]
    reader.page = refused
    assert reader.press("approve", first).status_code == 303
    assert states(api) == ["pending", "pending"]


def test_what_was_decided_is_not_decided_again(api: Api) -> None:
    [post], path = ask(api)
    reader, other = Reader(api, path), Reader(api, path)
    assert reader.press("approve", post).status_code == 303
    for decision in ("approve", "reject"):
        again = other.press(decision, post)
        assert (again.status_code, code_of(again)) == (409, "not_waiting_for_approval")
    assert states(api) == ["pending"]


def test_a_link_decides_about_its_own_job_alone(api: Api) -> None:
    [mine], path = ask(api)
    [other], _ = ask(api)
    assert Reader(api, path).press("approve", other).status_code == 404
    assert states(api) == ["waiting_approval"] * 2
    assert f'id="post-{other.id}"' not in Reader(api, path).page.text
    assert mine.id != other.id


@pytest.mark.parametrize(
    ("decision", "more", "status"),
    [
        ("approve", {"csrf": "no"}, 403),
        ("approve", {"csrf": ""}, 403),
        ("publish", {}, 400),
        ("", {}, 400),
        ("reject", {"note": "x" * 1001}, 400),
        ("reject", {"note": "\0"}, 400),
        ("approve", {"seen": "1"}, 400),
        ("approve", {"seen": "1:x"}, 400),
        ("approve", {"seen": ""}, 400),
        ("approve", {"note": "x" * 20_000}, 413),
    ],
)
def test_a_form_that_the_page_has_not_made_changes_nothing(
    api: Api, decision: str, more: dict[str, str], status: int
) -> None:
    [post], path = ask(api)
    assert Reader(api, path).press(decision, post, **more).status_code == status
    assert states(api) == ["waiting_approval"]


def end_link(api: Api, how: str) -> None:
    match how:
        case "link_revoked":
            assert api.call("DELETE", "/approval-links/1").status_code == 204
        case "link_expired":
            with api.services.database.transaction() as session:
                session.execute(update(ApprovalLink).values(expires_at=func.now()))
        case "link_unknown":
            assert api.call("DELETE", "/profiles/acme?force=true").status_code in {202, 204}


@pytest.mark.parametrize("code", ["link_revoked", "link_expired", "link_unknown"])
def test_a_link_that_has_ended_says_why_and_decides_nothing(api: Api, code: str) -> None:
    picture = api.upload(FILES.png(3), profile="acme").json["media"]["id"]
    [post], path = ask(api, items=[{"media_ids": [picture]}])
    reader = Reader(api, path)
    end_link(api, code)
    for reply in (Reader(api, path).page, reader.press("approve", post)):
        assert (reply.status_code, code_of(reply)) == (404, code)
        assert "clip" not in reply.text
    assert Browser(api).open("GET", f"{path}/media/{picture}").status_code == 404
    assert "pending" not in states(api)


def test_of_a_profile_that_is_being_deleted_nothing_is_shown_or_decided(api: Api) -> None:
    [post], path = ask(api)
    reader = Reader(api, path)
    with api.services.database.transaction() as session:
        session.execute(update(Profile).values(deleting_since=func.now()))
    for reply in (Reader(api, path).page, reader.press("approve", post)):
        assert (reply.status_code, code_of(reply)) == (404, "link_unknown")
    assert states(api) == ["waiting_approval"]


@pytest.fixture
def limited(api: Api) -> Iterator[Api]:
    """An address has `MOST` wrong links."""
    with low_limits(api, PRESSROOM_FAILED_KEYS_PER_MINUTE=MOST):
        yield api


def test_guesses_are_limited_and_who_had_a_link_before_goes_on(limited: Api) -> None:
    [post], path = ask(limited)
    reader = Reader(limited, path)
    guess = reader.browser.open
    statuses = [guess("GET", f"/approve/apl_{number}").status_code for number in range(MOST + 1)]
    assert statuses == [404] * MOST + [429]
    assert guess("GET", f"/approve/apl_{MOST}").headers["Retry-After"]
    new = make_link(limited, str(post.job_id))
    assert guess("GET", new).status_code == 429, "a right guess, too"
    assert reader.press("approve", post).status_code == 303


def test_the_token_is_shown_once_and_kept_nowhere(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(api, 1, requires_approval=True)
    headers = {"Idempotency-Key": "one"}
    made, again = (api.post(f"/jobs/{job}/approval-links", headers=headers) for _ in range(2))
    token = made.json["url"].rpartition("/")[2]
    assert made.json["url"].startswith("http://localhost/approve/apl_")
    assert (again.json["id"], again.json["url"]) == (made.json["id"], None)
    reader = Reader(api, f"/approve/{token}")
    reader.press("reject", *api.posts())
    reader.press("reject", *api.posts())
    with api.services.database.transaction() as session:
        stored = [str(row) for row in session.execute(select(ApprovalLink.__table__))]
    assert len(stored) == 1
    for words in (*stored, capsys.readouterr().out, api.get("/audit").text):
        assert token not in words
    assert "url" not in api.get(f"/jobs/{job}/approval-links").json["items"][0]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"expires_at": "2096-01-01T00:00:00Z"}, 422),
        ({"expires_at": "soon"}, 400),
        ({"name": ""}, 400),
        ({"name": "x" * 201}, 400),
        ({"for": "ever"}, 400),
    ],
)
def test_a_link_without_an_end_in_reach_is_not_made(
    api: Api, body: dict[str, Any], status: int
) -> None:
    job = make_job(api, 1, requires_approval=True)
    assert api.post(f"/jobs/{job}/approval-links", body).status_code == status
    assert api.rows()["approval_links"] == 0


def test_a_job_has_a_bounded_number_of_links_that_work(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MOST", 2)
    job = make_job(api, 1, requires_approval=True)
    for _ in range(2):
        make_link(api, job)
    refused = api.post(f"/jobs/{job}/approval-links")
    assert (refused.status_code, refused.json["code"]) == (409, "too_many_links")
    assert api.call("DELETE", "/approval-links/1").status_code == 204
    make_link(api, job)


def test_many_posts_are_shown_and_approved_by_the_page(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown_posts, "AT_ONCE", 2)
    posts, path = ask(api, 3)
    reader = Reader(api, path)
    assert "Approve all 2 on this page" in reader.page.text
    [onward] = re.findall(r'href="(\?after=\d+)"', reader.page.text)
    second = Reader(api, path + onward)
    assert f'id="post-{posts[2].id}"' in second.page.text
    assert reader.press("approve", *posts).status_code == 303, "two of them, as the page has"
    assert sorted(states(api)) == ["pending", "pending", "waiting_approval"]
    moved = second.press("approve", posts[2])
    assert moved.headers["Location"] == f"{path}{onward}#post-{posts[2].id}"


def test_the_page_goes_on_when_the_file_of_a_rejected_post_is_deleted(api: Api) -> None:
    picture = api.upload(FILES.png(3), name="old.png", profile="acme").json["media"]["id"]
    parts = [{"caption": "more", "media_ids": [picture]}]
    item = {"caption": "rejected", "media_ids": [picture], "thread": parts}
    [post, _], path = ask(api, items=[item, {"caption": "waits"}], count=2)
    assert Reader(api, path).press("reject", post).status_code == 303
    with api.services.database.transaction() as session:  # the uploads are done, and forgotten
        for table in ("job_media", "account_media"):
            session.execute(text(f"DELETE FROM {table}"))
    assert api.call("DELETE", f"/media/{picture}").status_code == 204
    assert api.rows()["media"] == 0
    assert Reader(api, path).page.status_code == 200
    assert Browser(api).open("GET", f"{path}/media/{picture}").status_code == 404
