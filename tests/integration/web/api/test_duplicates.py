"""The same text and media on the same channel: a warning, or refused where the client says so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.posts import occupancy
from tests.factories.files import FILES
from tests.servers.api import Api, Reply
from tests.timing.at_once import do_at_once, leaving_together

CHANNEL = "int-mastodon"


def publish(api: Api, caption: str = "Once is enough", **more: Any) -> Reply:
    body = {"caption": caption, "integration_ids": [CHANNEL], **more}
    return api.post("/postiz/publish", body, profile="acme")


def bulk(api: Api, *captions: str, query: str = "", **more: Any) -> Reply:
    items = [{"caption": caption} for caption in captions]
    body = {"items": items, "integration_ids": [CHANNEL], **more}
    return api.post(f"/postiz/bulk-publish{query}", body, profile="acme")


def warned(reply: Reply) -> list[list[int]]:
    found = reply.json.get("plan", reply.json)["warnings"]
    return [each["indexes"] for each in found if each["code"] == "duplicate_post"]


def test_a_duplicate_is_a_warning_and_is_refused_where_that_is_asked_for(api: Api) -> None:
    assert warned(publish(api)) == []
    again = publish(api)
    assert (again.status_code, warned(again)) == (202, [[0]])
    refused = publish(api, duplicate_policy="refuse")
    assert refused.status_code == 422
    [fault] = refused.json["errors"]
    assert (fault["field"], fault["code"]) == ("caption", "duplicate_post")
    assert api.rows()["posts"] == 2
    assert warned(publish(api, "Another text", duplicate_policy="refuse")) == []


def test_a_plan_names_the_rows_of_a_bulk(api: Api) -> None:
    publish(api, "first")
    assert warned(bulk(api, "first", "second", "second", query="?dry_run=true")) == [[0, 2]]
    refusing = {"duplicate_policy": "refuse"}
    plan = bulk(api, "first", "second", "second", query="?dry_run=true", **refusing).json["plan"]
    assert [row["ok"] for row in plan["rows"]] == [False, True, False]
    skipped = bulk(api, "first", "second", "second", query="?skip_invalid=true", **refusing)
    assert (skipped.json["job"]["total"], skipped.json["skipped"]) == (1, 2)


def test_other_media_another_day_or_a_draft_is_none(api: Api) -> None:
    publish(api)
    medium = api.upload(FILES.png(7), profile="acme").json["media"]["id"]
    late = (datetime.now(UTC) + timedelta(hours=25)).isoformat()
    assert warned(publish(api, media_ids=[medium])) == []
    assert warned(publish(api, schedule_date=late)) == []
    assert warned(publish(api, save_as_draft=True)) == []


def test_the_window_is_the_profiles(api: Api) -> None:
    publish(api)
    patched = api.call("PATCH", "/profiles/acme", json={"duplicate_window_hours": 0})
    assert patched.json["duplicate_window_hours"] == 0
    assert warned(publish(api)) == []
    api.call("PATCH", "/profiles/acme", json={"duplicate_window_hours": 48})
    late = (datetime.now(UTC) + timedelta(hours=40)).isoformat()
    assert warned(publish(api, schedule_date=late)) == [[0]]
    refused = api.call("PATCH", "/profiles/acme", json={"duplicate_window_hours": -1})
    assert refused.status_code == 400


def test_the_parts_of_a_thread_count(api: Api) -> None:
    publish(api, thread=[{"caption": "one"}])
    assert warned(publish(api, thread=[{"caption": "two"}])) == []
    assert warned(publish(api, thread=[{"caption": "one", "delay_minutes": 5}])) == [[0]]
    assert warned(publish(api)) == []


def test_of_two_that_come_at_once_one_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both look before either is accepted, unless one waits for the other."""
    find_together = leaving_together(occupancy.find_accepted_posts)
    monkeypatch.setattr(occupancy, "find_accepted_posts", find_together)

    def ask() -> int:
        return publish(api, duplicate_policy="refuse").status_code

    statuses = do_at_once(ask, ask)
    assert sorted(statuses) == [202, 422]
