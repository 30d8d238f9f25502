"""What is told before anything is published: faults with remedies, warnings, what is assumed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.sandbox.process import SandboxProcess
from shared.domain.networks.default_settings import DEFAULTS
from shared.models import Media
from tests.factories.files import FILES
from tests.servers.api import Api, Reply

START = "2031-08-01T07:00:00Z"


@pytest.fixture
def media(api: Api) -> str:
    return str(api.upload(FILES.mp4(), profile="acme").json["media"]["id"])


def bulk(api: Api, items: list[dict[str, Any]], query: str = "", **body: Any) -> Reply:
    body = {"items": items, "schedule_date": START, **body}
    return api.post(f"/postiz/bulk-publish{query}", body, profile="acme")


def plan(api: Api, items: list[dict[str, Any]], **body: Any) -> dict[str, Any]:
    reply = bulk(api, items, "?dry_run=true", **body)
    assert reply.status_code == 200, reply.text
    return dict(reply.json["plan"])


def told(shown: dict[str, Any]) -> dict[str, list[int]]:
    return {warning["code"]: warning["indexes"] for warning in shown["warnings"]}


def override(api: Api, **rules: Any) -> None:
    [account] = api.get("/accounts").json["items"]
    body = {"rule_overrides": rules}
    assert api.call("PATCH", f"/accounts/{account['id']}", json=body).status_code == 200


def test_a_plan_shows_each_post_with_the_settings_that_it_will_have(api: Api, media: str) -> None:
    items: list[dict[str, Any]] = [
        {"caption": "A day out"},
        {"caption": "Two", "captions_per_platform": {"youtube": "Three"}},
    ]
    networks = ["int-tiktok", "int-youtube"]
    shown = plan(api, items, media_ids=[media], integration_ids=networks, settings=PRIVATE)
    first, second = (row["posts"] for row in shown["rows"])
    assert first[0] == {
        "integration_id": "int-tiktok",
        "identifier": "tiktok",
        "settings": {**DEFAULTS["tiktok"], "privacy_level": "SELF_ONLY"},
        "assumed": [name for name in DEFAULTS["tiktok"] if name != "privacy_level"],
        "content": None,
        "thread": [],
    }
    assert first[1]["settings"] == {"type": "public", "title": "A day out"}
    assert (second[1]["settings"]["title"], second[1]["content"]) == ("Three", "Three")
    assert bulk(api, items, media_ids=[media], integration_ids=networks, settings=PRIVATE)
    planned = [post["settings"] for row in shown["rows"] for post in row["posts"]]
    assert [post.settings for post in api.posts()] == planned


PRIVATE = {"int-tiktok": {"privacy_level": "SELF_ONLY"}}


def test_a_plan_and_the_answer_warn_of_the_same_by_rows(api: Api, media: str) -> None:
    items = [{"caption": f"Clip {n}"} for n in range(17)]
    body: dict[str, Any] = {
        "integration_ids": ["int-tiktok"],
        "media_ids": [media],
        "schedule_interval_minutes": 10,
        "captions_per_platform": {"tikttok": "a typing error"},
    }
    shown = plan(api, items, **body)
    everyone = list(range(17))
    assert told(shown) == {
        "default_setting_used": everyone,
        "video_too_short": everyone,  # of two seconds
        "aspect_ratio": everyone,  # 2:3
        "too_many_posts": [15, 16],
        "unknown_platform": everyone,
    }
    for warning in shown["warnings"]:
        assert warning["message"]
        assert warning["remedy"]
    [crowded] = [one for one in shown["warnings"] if one["code"] == "too_many_posts"]
    assert crowded["confidence"] == "reported"
    assert crowded["source"]
    reply = bulk(api, items, **body)
    assert reply.status_code == 202
    assert reply.json["warnings"] == shown["warnings"]


def test_what_was_accepted_before_counts_by_the_networks_rates(api: Api, media: str) -> None:
    """But for drafts, what was cancelled, and other channels."""
    body = {"integration_ids": ["int-tiktok"], "media_ids": [media], "settings": PRIVATE}
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()

    def crowded(number: int, **more: Any) -> list[int]:
        items = [{"caption": f"Clip {n}"} for n in range(number)]
        reply = bulk(api, items, **{**body, "schedule_date": later, **more})
        assert reply.status_code == 202
        return told(reply.json).get("too_many_posts", [])

    assert crowded(5, save_as_draft=True) == []
    assert crowded(14) == []
    assert crowded(1, schedule_date=None) == []
    assert crowded(2) == [1]
    assert crowded(1) == [0]
    long_ago = {"schedule_date": "0001-01-01T00:00:00Z", "schedule_interval_minutes": 0}
    assert crowded(14, **long_ago) == []  # with the one of before: what is past goes out now
    assert crowded(1, **long_ago) == crowded(1, schedule_date=None) == [0]
    api.post("/posts/cancel", {"profile_id": "acme"}, profile="acme")
    assert crowded(15) == []


def test_a_single_publish_is_warned_too(api: Api) -> None:
    body = {"caption": "hello", "integration_ids": ["int-x"]}
    reply = api.post("/postiz/publish", body, profile="acme")
    assert reply.status_code == 202
    [warning] = reply.json["warnings"]
    assert (warning["code"], warning["indexes"]) == ("default_setting_used", [0])
    assert api.posts()[0].settings == {"who_can_reply_post": "everyone"}
    plain = {"caption": "hello", "integration_ids": ["int-mastodon"]}
    assert api.post("/postiz/publish", plain, profile="acme").json["warnings"] == []


@pytest.fixture
def pins(api: Api, postiz: SandboxProcess) -> Iterator[str]:
    """A profile with a Pinterest channel, `int-pins`, and one more."""
    channels = [
        {"id": "int-pins", "name": "Pins", "identifier": "pinterest"},
        {"id": "int-toots", "name": "Toots", "identifier": "mastodon"},
    ]
    postiz.admin.create_org("pins", keys=["key-of-pins"], integrations=channels)
    credentials = {"api_url": postiz.api_url, "api_key": "key-of-pins"}
    api.post("/profiles", {"id": "pins", "name": "P", "tts_settings": {"postiz": credentials}})
    yield "pins"
    postiz.admin.delete_org("pins")


def test_a_fault_names_its_row_and_what_to_do_in_both_forms(api: Api, pins: str) -> None:
    items = [{"caption": "fine"}, {"caption": "b", "integration_ids": ["int-pins"]}]
    body = {"items": items, "integration_ids": ["int-toots"]}
    planned = api.post("/postiz/bulk-publish?dry_run=true", body, profile=pins)
    shown = planned.json["plan"]["rows"][1]["errors"]
    refused = api.post("/postiz/bulk-publish", body, profile=pins)
    assert refused.status_code == 422
    told_twice = [(fault["code"], fault["field"], fault["remedy"]) for fault in shown]
    faults = refused.json["errors"]
    assert [(one["code"], one["field"], one["remedy"]) for one in faults] == told_twice
    assert {one["row"] for one in faults} == {1}
    [board] = [one for one in faults if one["code"] == "missing_setting"]
    assert board["field"] == "items.1.settings.int-pins.board"
    assert '"pinterest": {"board"' in board["remedy"]


def test_an_accounts_own_limits_hold_at_once(api: Api) -> None:
    items = [{"caption": "a" * 300}]
    assert bulk(api, items, integration_ids=["int-x"]).status_code == 422
    override(api, x={"characters": 4000}, mastodon={"characters": 100})
    assert bulk(api, items, integration_ids=["int-x"]).status_code == 202
    assert bulk(api, items, integration_ids=["int-mastodon"]).status_code == 422
    override(api, x=None)
    assert bulk(api, items, integration_ids=["int-x"]).status_code == 422


def test_what_could_not_be_read_of_a_video_is_not_checked_and_told(api: Api) -> None:
    broken = api.upload(FILES.mp4()[:200], profile="acme").json["media"]["id"]
    shown = plan(api, [{"caption": "a", "media_ids": [broken]}], integration_ids=["int-tiktok"])
    assert set(told(shown)) == {"default_setting_used", "media_facts_unknown"}


def test_facts_that_stand_in_the_row_decide(api: Api, media: str) -> None:
    with api.services.database.transaction() as session:
        row = session.get_one(Media, int(media))
        row.duration, row.width, row.height, row.size = 700.0, 1080, 1920, 600_000_000
    items = [{"caption": "a", "media_ids": [media]}]
    shown = plan(api, items, integration_ids=["int-tiktok", "int-x", "int-mastodon"])
    words = [one["message"] for one in shown["warnings"] if one["code"].startswith("video_")]
    assert sorted(word.split(":")[0] for word in words) == ["tiktok", "x", "x"]
    assert set(told(shown)) == {"default_setting_used", "video_too_long", "video_too_large"}


def test_where_no_list_is_to_be_had_it_is_said_that_the_check_comes_later(api: Api) -> None:
    away = {"postiz": {"api_url": "http://127.0.0.1:9", "api_key": "a-long-enough-key"}}
    api.call("PATCH", "/profiles/acme", json={"tts_settings": away})
    shown = plan(api, [{"caption": "a"}], integration_ids=["int-new"])
    assert told(shown) == {"integrations_unknown": [0]}
