"""The pages for people who are signed in: what they show, to whom, and what they let press."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared.accounts import channel_states
from shared.domain.networks.channel_states import ChannelState
from shared.models import Account, Media, Post, Profile
from shared.profiles import listing
from tests.servers.api import Api
from tests.servers.browsers import Browser, make_user
from web.pages import media, static_files

PAGES = ("/", "/compose", "/jobs", "/posts", "/media", "/calendar?view=day", "/channels")
LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()


@pytest.fixture
def job(api: Api) -> str:
    items = [{"caption": f"<b>{word}</b> & co"} for word in ("first", "second")]
    body = {"items": items, "integration_ids": ["int-mastodon"], "schedule_date": LATER}
    made = api.post("/postiz/bulk-publish", body, profile="acme")
    assert made.status_code == 202, made.text
    return str(made.json["job"]["id"])


def reader(api: Api, role: str = "publisher", profiles: list[str] | None = None) -> Browser:
    email = f"{role}-{len(profiles or ())}@example.com"
    return Browser.signed_in(api, make_user(api, email, role=role, profiles=profiles))


def text_of(browser: Browser, path: str) -> str:
    reply = browser.open("GET", path)
    assert reply.status_code == 200, reply.text
    return str(reply.text)


def posts_of(api: Api, job: str) -> list[Any]:
    return list(api.get(f"/jobs/{job}/posts").json["items"])


def test_a_file_is_looked_for_by_its_name_some_files_at_a_time(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "LOOKED_AT", 2)
    with api.services.database.transaction() as session:
        for name in ("wanted.mp4", "100%.mp4", "third.mp4", "fourth.mp4"):
            session.add(Media(profile_id="acme", name=name))
            session.flush()
    browser = reader(api)
    shown = text_of(browser, "/media?q=WANTED")
    assert "Older ones may" in shown and "wanted.mp4" not in shown
    [onward] = re.findall(r'rel="next" href="([^"]+)"', shown)
    assert "wanted.mp4" in text_of(browser, unescape(onward))
    assert "third.mp4" not in text_of(browser, unescape(onward).replace("WANTED", "third"))
    assert "100%.mp4" in text_of(browser, unescape(onward).replace("WANTED", "%25"))


@pytest.mark.parametrize("path", [*PAGES, "/jobs/1", "/posts/1"])
def test_who_is_not_signed_in_is_led_there(api: Api, path: str) -> None:
    reply = Browser(api).open("GET", path)
    assert (reply.status_code, reply.location) == (303, "/sign-in")


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_installation_says_what_to_do(bare_api: Api, path: str) -> None:
    text = text_of(reader(bare_api, "viewer"), path)
    assert "<h1>" in text
    assert re.search(r"Nothing is planned|no such |no profile yet|No profile|no files yet", text)


def test_a_job_and_its_posts_are_shown_as_text(api: Api, job: str) -> None:
    browser = reader(api)
    assert f'href="/jobs/{job}"' in text_of(browser, "/jobs")
    shown = text_of(browser, f"/jobs/{job}")
    assert "&lt;b&gt;first&lt;/b&gt; &amp; co" in shown
    assert "<b>first" not in shown
    post = posts_of(api, job)[0]["id"]
    assert "Accepted" in text_of(browser, f"/posts/{post}")
    assert f'href="/posts/{post}"' in text_of(browser, "/")


def test_filters_stay_in_the_address_and_lists_go_on(api: Api, job: str) -> None:
    with api.services.database.transaction() as session:
        first = session.scalars(select(Post.id).order_by(Post.id)).first()
        failed = {"state": "failed", "error_code": "media_refused", "error_at": func.now()}
        session.execute(update(Post).where(Post.id == first).values(failed))
    browser = reader(api)
    listed = text_of(browser, "/posts?state=failed&error_code=media_refused")
    assert f'href="/posts/{first}"' in listed
    assert f'href="/posts/{(first or 0) + 1}"' not in listed
    assert '<option value="failed" selected>' in listed
    as_listed = text_of(browser, "/posts?error_code=Media+refused")
    assert f'href="/posts/{first}"' in as_listed
    assert "no such posts" in text_of(browser, "/posts?state=nonsense&channel=nowhere")
    dated = text_of(browser, "/posts?from=2026-01-01T00:00")
    assert re.search(r'name="tz" value="UTC" data-zone="2026', dated), "as the times were read"
    home = text_of(browser, "/")
    assert "media refused" in home
    assert "Retry this group" in home


def test_lists_call_profiles_by_their_names(api: Api, job: str) -> None:
    assert api.call("PATCH", "/profiles/acme", json={"name": "Acme & Sons"}).status_code == 200
    browser = reader(api)
    post = posts_of(api, job)[0]["id"]
    for path in ("/", "/jobs", f"/jobs/{job}", "/posts", f"/posts/{post}", "/accounts"):
        assert "Acme &amp; Sons" in text_of(browser, path), path
    with api.services.database.transaction() as session:
        session.add(Profile(id="another", name="Acme & Sons"))
        session.flush()
        assert listing.names_of(session, ["acme", "another", "gone"]) == {
            "acme": "Acme & Sons (acme)",
            "another": "Acme & Sons (another)",
        }


def test_a_channel_that_posts_wait_for_stands_first(api: Api, job: str) -> None:
    with api.services.database.transaction() as session:
        account = session.scalars(select(Account.id).order_by(Account.id)).first()
        state = ChannelState.RECONNECT_NEEDED
        channel_states.mark_not_ready(session, account or 0, "int-mastodon", state, "Sign in again")
    browser = reader(api)
    assert "Sign in again" in text_of(browser, "/")
    channels = text_of(browser, "/channels")
    assert "reconnect needed" in channels
    assert "It is connected again" in channels
    assert "It is connected again" not in text_of(reader(api, "viewer"), "/channels")


def test_another_tenants_things_are_not_there(api: Api, job: str) -> None:
    api.post("/profiles", {"id": "beta", "name": "Beta"})
    stranger = reader(api, "publisher", ["beta"])
    posts = posts_of(api, job)
    for path in (f"/jobs/{job}", f"/posts/{posts[0]['id']}", "/compose?profile=acme"):
        assert stranger.open("GET", path).status_code == 404
    for path in PAGES:
        text = text_of(stranger, path)
        assert "first&lt;" not in text
        assert "acme" not in text


@pytest.mark.parametrize(("role", "presses"), [("viewer", False), ("publisher", True)])
def test_a_role_sees_no_button_that_it_may_not_press(
    api: Api, job: str, role: str, presses: bool
) -> None:
    browser = reader(api, role)
    for path in (f"/jobs/{job}", f"/posts/{posts_of(api, job)[0]['id']}", "/posts?state=pending"):
        assert ("data-call" in text_of(browser, path)) == presses, path
    for path in ("/calendar?view=day", "/posts?q=nowhere", "/media"):
        leads = re.search('<main.*href="/compose', text_of(browser, path), re.DOTALL)
        assert bool(leads) == presses, path


def test_a_job_says_why_its_posts_wait(api: Api, job: str) -> None:
    browser = reader(api)
    assert "did not answer the last call" not in text_of(browser, f"/jobs/{job}")
    with api.services.database.transaction() as session:
        session.execute(update(Account).values(healthy=False))
    assert "did not answer the last call" in text_of(browser, f"/jobs/{job}")


def test_a_job_for_the_calendar_says_when_all_is_there_and_not_that_it_ends_then(api: Api) -> None:
    late = (datetime.now(UTC) + timedelta(days=60)).isoformat()
    item = {"caption": "far ahead", "schedule_date": late}
    body = {"items": [item], "integration_ids": ["int-mastodon"], "handoff": "calendar"}
    made = api.post("/postiz/bulk-publish", body, profile="acme").json["job"]["id"]
    browser = reader(api)
    shown = text_of(browser, f"/jobs/{made}")
    assert "handed over about" in text_of(browser, "/jobs")
    assert "all to Postiz's calendar, about" in unescape(shown)
    assert "Ends about" not in shown


def test_a_button_calls_the_api_as_it_says(api: Api, job: str) -> None:
    browser = reader(api)
    text = text_of(browser, f"/jobs/{job}")
    [call] = re.findall(r'data-call="(POST /api/v1[^"]*pause)"', text)
    method, path = call.split(" ")
    [token] = re.findall(r'name="csrf" content="([^"]+)"', text)
    reply = browser.open(method, path, headers={"X-CSRF-Token": token})
    assert reply.status_code == 202
    assert "Resume" in text_of(browser, f"/jobs/{job}")


def test_pages_run_nothing_but_their_own_files(api: Api) -> None:
    reply = reader(api).open("GET", "/")
    policy = reply.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert not re.search(r"<style|<script(?! type=\"module\" src)| style=| on\w+=", reply.text)
    names = re.findall(r'(?:href|src)="(/static/[^"]+)"', reply.text)
    for name in names:
        assert "immutable" in Browser(api).open("GET", name).headers["Cache-Control"]
    sizes: Counter[str] = Counter()
    for name, address in static_files.addresses().items():
        sizes[name.rpartition(".")[2]] += len(Browser(api).open("GET", address).data)
    assert sizes["css"] < 30_000
    assert sizes["js"] < 60_000, "all scripts together, of which a page needs a part"
    old = names[0].replace(names[0].split("/")[2], "older")
    assert Browser(api).open("GET", old).headers["Cache-Control"] == "public, no-cache"
    assert Browser(api).open("GET", "/static/older/../layout.py").status_code == 404
