"""The calendar: the days of a zone, what is planned and what schedules will add, and its bounds."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from shared.models import Post
from shared.overview import calendar_days
from tests.servers.api import Api
from tests.servers.browsers import Browser, make_user

#: 23:30 in UTC: in Berlin it is the next day.
LATE = "2034-05-15T23:30:00Z"
WEEK = "/calendar?view=week&date=2034-05-15"


@pytest.fixture
def job(api: Api) -> str:
    items = [{"caption": f"<i>{word}</i>", "schedule_date": LATE} for word in ("one", "two")]
    body = {"items": items, "integration_ids": ["int-mastodon"]}
    made = api.post("/postiz/bulk-publish", body, profile="acme")
    assert made.status_code == 202, made.text
    return str(made.json["job"]["id"])


def reader(api: Api, role: str = "publisher", profiles: list[str] | None = None) -> Browser:
    email = f"{role}-{len(profiles or ())}@example.com"
    return Browser.signed_in(api, make_user(api, email, role=role, profiles=profiles))


def days_of(browser: Browser, path: str) -> dict[str, str]:
    reply = browser.open("GET", path)
    assert reply.status_code == 200, reply.text
    parts = re.split(r'data-day="([\d-]+)"', reply.text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_a_post_stands_on_the_day_of_the_readers_zone(api: Api, job: str) -> None:
    browser = reader(api)
    assert "23:30 " in days_of(browser, WEEK)["2034-05-15"]
    days = days_of(browser, f"{WEEK}&tz=Europe/Berlin")
    assert "post-1" not in days["2034-05-15"]
    assert "01:30 " in days["2034-05-16"]
    assert "&lt;i&gt;one&lt;/i&gt;" in days["2034-05-16"]
    assert "data-post=" in days["2034-05-16"]
    nowhere = days_of(browser, f"{WEEK}&tz=Nowhere/At_all")
    assert "post-1" in nowhere["2034-05-15"], "it is read in UTC"
    for path in (f"{WEEK}&tz=Berlin", "/posts?from=2034-05-15T00:00&tz=Berlin"):
        told = "There is no time zone “Berlin”: the times are of UTC"
        assert told in browser.open("GET", path).text
    assert "post-1" not in days_of(browser, f"{WEEK}&channel=int-x")["2034-05-15"]
    assert len(days_of(browser, "/calendar?view=month&date=0001-01-01")) == 42


def test_who_may_not_publish_moves_nothing_and_sees_only_own_profiles(api: Api, job: str) -> None:
    seen = days_of(reader(api, "viewer", ["acme"]), WEEK)["2034-05-15"]
    assert "post-1" in seen
    assert "data-post" not in seen
    assert "<button" not in seen
    assert "post-1" not in days_of(reader(api, "publisher", ["other"]), WEEK)["2034-05-15"]
    other = days_of(reader(api, "publisher", ["other", "more"]), f"{WEEK}&profile=acme")
    assert "post-1" not in other["2034-05-15"]


def test_a_day_with_many_posts_shows_their_number_and_leads_to_the_list(
    api: Api, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendar_days, "FEW", 1)
    monkeypatch.setattr(calendar_days, "MOST", 2)
    browser = reader(api)
    day = days_of(browser, f"{WEEK}&tz=Europe/Berlin")["2034-05-16"]
    assert ">2 or more posts</a>" in day
    assert "post-1" not in day
    [link] = re.findall(r'href="(/posts\?from[^"]+)"', day)
    listed = browser.open("GET", link.replace("&amp;", "&")).text
    assert 'href="/posts/1"' in listed
    assert 'href="/posts/2"' in listed


def test_what_a_schedule_will_do_stands_beside_what_is_planned(api: Api, job: str) -> None:
    content = {"items": [{"caption": "Evergreen"}], "integration_ids": ["int-mastodon"]}
    body = {"name": "Evening", "cron": "0 18 * * *", "timezone": "Europe/Berlin", "bulk": content}
    assert api.post("/schedules", body, profile="acme").status_code == 201
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date()
    path = f"/calendar?view=day&date={tomorrow}&tz=Europe/Berlin"
    assert "18:00 bulk Evening" in days_of(reader(api), path)[str(tomorrow)]
    assert "Evening" not in days_of(reader(api, "viewer", ["other"]), path)[str(tomorrow)]


def test_a_search_reads_so_many_posts_and_goes_on_from_there(
    api: Api, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api.services.database.transaction() as session:
        first = min(session.scalars(select(Post.id)))
        words = {"content": "50% of a Zeppelin"}
        session.execute(update(Post).where(Post.id == first).values(words))
    monkeypatch.setattr("shared.posts.post_queries.LOOKED_AT", 1)
    browser = reader(api)
    page = browser.open("GET", "/posts?q=0%25%20of%20a%20zep").text
    assert f'href="/posts/{first}"' not in page
    [onward] = re.findall(r'rel="next" href="([^"]+)"', page)
    found = browser.open("GET", onward.replace("&amp;", "&")).text
    assert f'href="/posts/{first}"' in found
    assert "Search older posts" in found
