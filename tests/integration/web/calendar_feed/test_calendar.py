"""Calendars: who makes their links, what they show, and that they end."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from icalendar import Calendar
from sqlalchemy import func, select, update

from shared.calendar_feed import feed, links
from shared.models import CalendarLink, Post, User
from tests.factories.jobs import make_job, set_states
from tests.servers.api import Api, Reply
from tests.servers.browsers import Browser, make_user
from tests.servers.limits import low_limits

SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
#: Wrong tokens that an address may try in a minute, in the test of that.
MOST = 3


def make_link(api: Api, **body: Any) -> str:
    """The address of a new calendar, below the site's."""
    made = api.post("/calendar-links", body)
    assert made.status_code == 201, made.text
    return path_of(made)


def path_of(made: Reply) -> str:
    parts = urlsplit(made.json["url"])
    return f"{parts.path}?{parts.query}"


def read(api: Api, path: str, **headers: str) -> Reply:
    return Browser(api).open("GET", path, headers=headers)


def titles(api: Api, path: str) -> list[str]:
    reply = read(api, path)
    assert reply.status_code == 200, reply.text
    return [str(event["SUMMARY"]) for event in Calendar.from_ical(reply.data).walk("VEVENT")]


def make_posts(api: Api, count: int = 1, **more: Any) -> None:
    make_job(api, count, schedule_date=SOON.isoformat(), **more)


def test_a_calendar_shows_what_is_planned_and_published(api: Api) -> None:
    make_posts(api, 6)
    set_states(api, "pending", "waiting_approval", "published", "failed", "cancelled", "draft")
    path = make_link(api, profile_id="acme", name="Ann's phone")
    reply = read(api, path)
    assert reply.mimetype == "text/calendar"
    assert reply.headers["Cache-Control"] == "private, max-age=300"
    first: Any = Calendar.from_ical(reply.data).walk("VEVENT")[0]
    assert (first["DTSTART"].dt, first["UID"]) == (SOON, f"post-{api.posts()[0].id}@pressroom")
    assert titles(api, path) == [f"{name_of(api)}: clip {number}" for number in range(3)]
    [link] = api.get("/calendar-links").json["items"]
    assert (link["name"], link["read"], link["profile_ids"]) == ("Ann's phone", 2, ["acme"])
    assert "url" not in link


def name_of(api: Api) -> str:
    return str(api.posts()[0].integration_name)


def test_what_is_far_away_is_left_out_and_of_too_many_the_nearest_are_shown(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST", 3)
    make_posts(api, 6)
    path = make_link(api)
    assert [title[-1] for title in titles(api, path)] == ["0", "1", "2"]
    for days, shown in ((-91, 0), (366, 0), (-89, 3), (364, 3)):
        with api.services.database.transaction() as session:
            moved = {"publish_at": datetime.now(UTC) + timedelta(days=days)}
            session.execute(update(Post).values(moved))
        assert len(titles(api, path)) == shown, days


def test_a_calendar_that_has_not_changed_is_not_sent_again(api: Api) -> None:
    make_posts(api)
    path = make_link(api)
    tag = read(api, path).headers["ETag"]
    again = read(api, path, **{"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert api.call("PATCH", f"/posts/{api.posts()[0].id}", json={"caption": "new"}).json
    assert read(api, path, **{"If-None-Match": tag}).status_code == 200


def test_a_calendar_shows_its_own_profiles_alone(api: Api) -> None:
    make_posts(api)
    assert api.post("/profiles", {"id": "other", "name": "Other"}).status_code == 201
    assert titles(api, make_link(api, profile_id="other")) == []
    bound = api.key("settings", profiles=["other"])
    made = api.post("/calendar-links", key=bound)
    assert made.json["profile_ids"] == ["other"]
    assert titles(api, path_of(made)) == []
    assert api.post("/calendar-links", {"profile_id": "acme"}, key=bound).status_code == 404
    with_header = api.post("/calendar-links", profile="acme")
    assert with_header.json["profile_ids"] == ["acme"]
    assert len(titles(api, make_link(api))) == 1


def test_a_person_s_calendar_follows_what_they_may_see(api: Api) -> None:
    make_posts(api)
    assert api.post("/profiles", {"id": "other", "name": "Other"}).status_code == 201
    user_id = make_user(api, role="viewer", profiles=["acme", "other"])
    ann = Browser.signed_in(api, user_id)
    made = ann.post("/calendar-links")
    assert (made.status_code, made.json["profile_ids"]) == (201, ["acme", "other"])
    path = path_of(made)
    assert len(titles(api, path)) == 1
    set_user(api, user_id, profile_ids=["other"])
    assert titles(api, path) == []
    set_user(api, user_id, profile_ids=["acme"], disabled=True)
    assert read(api, path).status_code == 404
    set_user(api, user_id, profile_ids=["acme", "other"], disabled=False)
    boss = Browser.signed_in(api, make_user(api, "bob@example.com", role="manager"))
    assert boss.get("/calendar-links").json["items"] == [], "it is Ann's"
    assert boss.call("DELETE", f"/calendar-links/{made.json['id']}").status_code == 404
    assert ann.call("DELETE", f"/calendar-links/{made.json['id']}").status_code == 204
    assert read(api, path).status_code == 404


def set_user(api: Api, user_id: int, **values: Any) -> None:
    with api.services.database.transaction() as session:
        session.execute(update(User).where(User.id == user_id).values(values))


def test_a_key_needs_the_scope_settings_and_a_viewer_ends_only_their_own(api: Api) -> None:
    for scope in ("read", "publish", "approve"):
        assert api.post("/calendar-links", key=api.key("read", scope)).status_code == 403, scope
    made = api.post("/calendar-links", key=api.key("read", "settings"))
    assert made.status_code == 201
    path = f"/calendar-links/{made.json['id']}"
    assert api.call("DELETE", path, key=api.key("read")).status_code == 403
    viewer = Browser.signed_in(api, make_user(api, role="viewer"))
    assert viewer.call("DELETE", path).status_code == 403
    assert api.call("DELETE", path).status_code == 204


@pytest.mark.parametrize("how", ["deleted", "expired", "profile gone", "made up", "empty"])
def test_a_calendar_that_has_ended_is_not_there(api: Api, how: str) -> None:
    make_posts(api)
    path = make_link(api, profile_id="acme")
    match how:
        case "deleted":
            assert api.call("DELETE", "/calendar-links/1").status_code == 204
        case "expired":
            with api.services.database.transaction() as session:
                session.execute(update(CalendarLink).values(expires_at=func.now()))
        case "profile gone":
            assert api.call("DELETE", "/profiles/acme?force=true").status_code in {202, 204}
        case "made up":
            path = "/calendar.ics?token=cal_x"
        case _:
            path = "/calendar.ics?token="
    reply = read(api, path)
    assert reply.mimetype == "application/problem+json"
    assert (reply.status_code, reply.json["code"]) == (
        (400, "invalid_request") if how == "empty" else (404, "calendar_unknown")
    )


def test_a_deleted_profile_leaves_the_calendars_of_others(api: Api) -> None:
    make_posts(api)
    assert api.post("/profiles", {"id": "other", "name": "Other"}).status_code == 201
    both = path_of(api.post("/calendar-links", key=api.key("settings", profiles=["acme", "other"])))
    make_link(api, profile_id="other")
    assert api.call("DELETE", "/profiles/other").status_code == 204
    [link] = api.get("/calendar-links").json["items"]
    assert link["profile_ids"] == ["acme"]
    assert len(titles(api, both)) == 1


def test_links_are_bounded_and_those_of_a_key_that_expires_expire_with_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MOST", 2)
    for _ in range(2):
        make_link(api)
    refused = api.post("/calendar-links")
    assert (refused.status_code, refused.json["code"]) == (409, "too_many_links")
    make_link(api, profile_id="acme")
    end = "2031-01-01T00:00:00Z"
    key = api.post("/keys", {"name": "k", "scopes": ["settings"], "expires_at": end}).json["key"]
    assert api.post("/calendar-links", {"profile_id": "acme"}, key=key).json["expires_at"] == end


@pytest.fixture
def limited(api: Api) -> Iterator[Api]:
    with low_limits(api, PRESSROOM_FAILED_KEYS_PER_MINUTE=MOST):
        yield api


def test_guesses_are_limited_and_the_token_is_kept_nowhere(
    limited: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_link(limited)
    token = path.rpartition("=")[2]
    browser = Browser(limited)
    browser.client.environ_base["REMOTE_ADDR"] = f"10.1.{time.time_ns() % 250}.7"
    assert browser.open("GET", path).status_code == 200
    wrong = [
        browser.open("GET", f"/calendar.ics?token=cal_{number}").status_code
        for number in range(MOST + 1)
    ]
    assert wrong == [404] * MOST + [429]
    assert browser.open("GET", path).status_code == 200, "it was right before"
    with limited.services.database.transaction() as session:
        stored = str(session.execute(select(CalendarLink.__table__)).all())
    for text in (stored, capsys.readouterr().out):
        assert token not in text
