"""The settings pages: who sees which, and of them no more than their own."""

import json
import re
from html import unescape

import pytest

from local.sandbox.process import SandboxProcess
from tests.factories.files import FILES
from tests.servers.api import Api
from tests.servers.browsers import Browser, make_user

FOR_ALL = ("/profiles", "/profiles/acme", "/accounts", "/schedules", "/settings", "/channels")
FOR_MANAGERS = ("/webhooks", "/webhooks/{hook}")
FOR_ADMINS = ("/keys", "/users", "/audit")
FOR_PUBLISHERS = ("/schedules/new?profile=acme",)
MAY = {
    "viewer": FOR_ALL,
    "publisher": FOR_ALL + FOR_PUBLISHERS,
    "manager": FOR_ALL + FOR_PUBLISHERS + FOR_MANAGERS,
    "admin": FOR_ALL + FOR_PUBLISHERS + FOR_MANAGERS + FOR_ADMINS,
}


def found_things(api: Api, postiz: SandboxProcess) -> dict[str, str]:
    """One of each for acme, and for a stranger."""
    medium = api.upload(FILES.png(1), profile="acme").json["media"]["id"]
    playlist = {"media_ids": [medium], "integration_ids": ["int-mastodon"]}
    plan = {"name": "Mornings", "cron": "30 9 * * *", "playlist": playlist}
    ids = {"schedule": api.post("/schedules", plan, profile="acme").json["id"]}
    assert api.post(f"/schedules/{ids['schedule']}/run").status_code == 202
    hook = {"url": "http://127.0.0.1:9/hook", "events": ["post.failed"], "profile_ids": ["acme"]}
    ids["hook"] = api.post("/webhooks", hook).json["id"]
    assert api.post("/profiles", {"id": "beta", "name": "Strangers"}).status_code == 201
    api.post("/calendar-links", {"profile_id": "acme", "name": "Editors"})
    api.key("read", profiles=["beta"])
    return ids


@pytest.mark.parametrize("role", MAY)
def test_a_role_sees_its_pages_and_no_button_that_it_may_not_press(
    api: Api, postiz: SandboxProcess, role: str
) -> None:
    ids = found_things(api, postiz)
    browser = Browser.signed_in(api, make_user(api, role=role, profiles=["acme"]))
    for path in (*FOR_ALL, *FOR_PUBLISHERS, *FOR_MANAGERS, *FOR_ADMINS):
        reply = browser.open("GET", path.format(**ids))
        assert reply.status_code == (200 if path in MAY[role] else 403), (path, reply.text)
        assert "Strangers" not in reply.text and "beta" not in reply.text, path
        assert not re.search(r"<form(?![^>]* method=)", reply.text), "else it sends to its address"
    schedule = browser.open("GET", f"/schedules/{ids['schedule']}").text
    assert "started" in schedule and ("Run now" in schedule) == (role != "viewer")
    profile = browser.open("GET", "/profiles/acme").text
    assert ("Try and save" in profile) == (role in {"manager", "admin"})
    assert "Editors" in profile and ("End it" in profile) == (role in {"manager", "admin"})
    assert browser.post("/calendar-links", {"profile_id": "acme"}).status_code == 201
    assert "End it" in browser.open("GET", "/profiles/acme").text, "for one's own"
    assert "Create the profile" not in browser.open("GET", "/profiles").text, "bound to one"
    for path in ("/profiles/beta", "/profiles/none", "/schedules/999", "/schedules/x"):
        assert browser.open("GET", path).status_code == 404, path


def test_the_audit_trail_is_filtered_and_a_bad_filter_is_told(api: Api) -> None:
    browser = Browser.signed_in(api, make_user(api, role="admin"))
    assert browser.call("PATCH", "/profiles/acme", json={"name": "New"}).status_code == 200
    assert "patch profile" in browser.open("GET", "/audit?profile=acme").text
    assert "no such changes" in browser.open("GET", "/audit?profile=other").text
    for bad in ("since=soon", "user=x", "cursor=x"):
        assert browser.open("GET", f"/audit?{bad}").status_code in {200, 400}, bad
    assert "Not understood: since" in browser.open("GET", "/audit?since=soon").text


def test_a_change_of_credentials_tells_how_fast_it_was_in_effect(
    api: Api, postiz: SandboxProcess
) -> None:
    changed = {"postiz": {"api_url": postiz.api_url, "api_key": "another-key"}}
    reply = api.call("PATCH", "/profiles/acme", json={"tts_settings": changed})
    effect = reply.json["in_effect"]
    assert effect["confirmed"] >= 1 and effect["processes"] >= effect["confirmed"]
    assert effect["milliseconds"] > 0
    plain = api.call("PATCH", "/profiles/acme", json={"name": "Acme"})
    assert plain.json["in_effect"] is None


def test_fire_times_are_shown_before_anything_is_saved(api: Api) -> None:
    asked = "/schedules/fire-times?cron=30+9+*+*+mon&timezone=Europe/Berlin&count=3"
    shown = api.get(asked).json
    assert len(shown["fire_times"]) == 3 and shown["timezone"] == "Europe/Berlin"
    assert shown["fire_times"] == sorted(shown["fire_times"])
    for bad in ("cron=never", "cron=0+0+30+2+*", "cron=0+9+*+*+*&timezone=Moon", "count=51"):
        assert api.get(f"/schedules/fire-times?{bad}").status_code == 400, bad


def test_a_playlists_form_keeps_what_it_does_not_show(api: Api) -> None:
    media = [api.upload(FILES.png(each), profile="acme").json["media"]["id"] for each in (1, 2, 3)]
    first, second, third = map(str, media)
    playlist = {
        "media_ids": [second, first],
        "integration_ids": ["int-mastodon"],
        "until": "2034-05-15T09:30:00Z",
        "max_runs": 5,
        "settings": {"x": {"who_can_reply_post": "everyone"}},
        "media_captions": {first: 'Said "so" & <more>'},
    }
    plan = {"name": "Clips", "cron": "0 9 * * *", "timezone": "Europe/Berlin", "playlist": playlist}
    schedule = api.post("/schedules", plan, profile="acme").json["id"]
    browser = Browser.signed_in(api, make_user(api, role="publisher", profiles=["acme"]))
    shown = browser.open("GET", f"/schedules/{schedule}").text
    boxes = re.findall(r'name="playlist.media_ids" value="(\d+)"( checked)?', shown)
    assert boxes == [(second, " checked"), (first, " checked"), (third, "")]
    assert 'value="2034-05-15T11:30"' in shown and "In Europe/Berlin" in shown
    [other] = re.findall(r'name="playlist" data-type="json" value="([^"]*)"', shown)
    kept = {name: playlist[name] for name in ("settings", "media_captions")}
    assert json.loads(unescape(other)) == kept
    viewer = Browser.signed_in(api, make_user(api, "v@example.com", profiles=["acme"]))
    assert "playlist.media_ids" not in viewer.open("GET", f"/schedules/{schedule}").text
