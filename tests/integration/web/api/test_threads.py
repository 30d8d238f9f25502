"""Threads as their callers use them: accepted, refused with the place, shown and edited."""

from typing import Any

import pytest
from sqlalchemy import select

from shared.domain.networks.channel import Channel
from shared.intake import deferred_rules
from shared.models import AccountMedia, Event, Post
from tests.factories.files import FILES
from tests.servers.api import Api, Reply

START = "2031-08-01T07:00:00Z"
PART = {"caption": "more"}


def publish(api: Api, *integrations: str, **body: Any) -> Reply:
    body = {"caption": "hello", "integration_ids": integrations or ["int-mastodon"], **body}
    return api.post("/postiz/publish", {"schedule_date": START, **body}, profile="acme")


def bulk(api: Api, items: list[dict[str, Any]], query: str = "", **body: Any) -> Reply:
    body = {"items": items, "integration_ids": ["int-mastodon"], "schedule_date": START, **body}
    return api.post(f"/postiz/bulk-publish{query}", body, profile="acme")


def threads(api: Api) -> list[list[str]]:
    return [[part["content"] for part in post.thread] for post in api.posts()]


def places(reply: Reply) -> list[tuple[str, str | None]]:
    return [(fault["field"], fault.get("code")) for fault in reply.json["errors"]]


def fields(reply: Reply) -> list[str]:
    return [field for field, _ in places(reply)]


def test_a_thread_is_shown_as_it_was_sent_and_its_media_are_wanted(api: Api) -> None:
    image = api.upload(FILES.png(), profile="acme").json["media"]["id"]
    with api.services.database.transaction() as session:
        session.scalars(select(AccountMedia)).one().state = "failed"
    thread = [{"caption": "on", "media_ids": [image]}, {"caption": "end", "delay_minutes": 1440}]
    assert publish(api, thread=thread).status_code == 202
    [shown] = api.get("/posts").json["items"]
    assert shown["thread"] == [
        {"content": "on", "media_ids": [image], "delay_minutes": 0},
        {"content": "end", "media_ids": [], "delay_minutes": 1440},
    ]
    with api.services.database.transaction() as session:
        assert session.scalars(select(AccountMedia)).one().state == "pending"


def test_rows_have_their_own_threads_or_the_bulks(api: Api) -> None:
    items: list[dict[str, Any]] = [
        {"caption": "a"},
        {"caption": "b", "thread": [PART, PART]},
        {"caption": "c", "thread": []},
    ]
    assert bulk(api, items, first_comment="all").status_code == 202
    assert threads(api) == [["all"], ["more", "more"], []]


def test_a_csv_has_a_column_for_each_part(api: Api) -> None:
    lines = ["caption,thread_1,thread_2,first_comment", "a,one,two,", "b,,,look", "c,,,"]
    path = f"/postiz/bulk-publish?integration_ids=int-mastodon&schedule_date={START}"
    reply = api.call(
        "POST", path, data="\n".join(lines).encode(), content_type="text/csv", profile="acme"
    )
    assert reply.status_code == 202, reply.text
    assert threads(api) == [["one", "two"], ["look"], []]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"thread": [PART] * 21}, "thread"),
        ({"thread": [PART] * 30}, "thread"),
        ({"thread": [{**PART, "delay_minutes": -1}]}, "thread.0.delay_minutes"),
        ({"thread": [{**PART, "delay_minutes": 0.5}]}, "thread.0.delay_minutes"),
        ({"thread": [{"caption": " \n"}]}, "thread.0.caption"),
        ({"thread": [PART, {}]}, "thread.1.caption"),
        ({"thread": [{**PART, "delay_minutes": 1441}]}, "thread.0.delay_minutes"),
        ({"thread": [PART], "first_comment": "a"}, "first_comment"),
        ({"thread_policy": "never"}, "thread_policy"),
    ],
)
def test_what_is_malformed_is_a_400_with_its_field(
    api: Api, body: dict[str, Any], field: str
) -> None:
    alone, in_a_row = publish(api, **body), bulk(api, [{"caption": "a"}, body])
    assert (alone.status_code, fields(alone)) == (400, [field])
    assert (in_a_row.status_code, fields(in_a_row)) == (400, [f"items.1.{field}"])
    skipping = bulk(api, [{"caption": "a"}, body], "?skip_invalid=true")
    assert (skipping.status_code, skipping.json["skipped"]) == (202, 1)


YOUTUBE = {"settings": {"youtube": {"title": "A title", "type": "private"}}}


def test_a_network_without_threads_is_a_422_or_goes_without(api: Api) -> None:
    video = api.upload(FILES.mp4(), profile="acme").json["media"]["id"]
    item: dict[str, Any] = {
        "caption": "b",
        "media_ids": [video],
        "integration_ids": ["int-youtube"],
        **YOUTUBE,
    }
    refused = bulk(api, [{"caption": "a"}, item], thread=[PART])
    assert (refused.status_code, places(refused)) == (
        422,
        [("items.1.thread", "thread_not_supported")],
    )
    assert refused.json["errors"][0]["row"] == 1
    plan = bulk(api, [item], "?dry_run=true", thread=[PART], thread_policy="where_supported")
    [row] = plan.json["plan"]["rows"]
    assert row["posts"][0]["thread"] == []
    items = [{"caption": "a"}, {**item, "thread_policy": "where_supported"}]
    accepted = bulk(api, items, thread=[PART])
    assert accepted.status_code == 202, accepted.text
    told = {warning["code"]: warning["indexes"] for warning in accepted.json["warnings"]}
    assert told["thread_left_out"] == [1]
    assert threads(api) == [["more"], []]


def patch(api: Api, **body: Any) -> Reply:
    [post] = api.posts()
    return api.call("PATCH", f"/posts/{post.id}", json=body)


def test_a_thread_is_edited_as_a_whole_and_by_the_rules_of_its_network(api: Api) -> None:
    assert publish(api, first_comment="old").status_code == 202
    edited = patch(api, thread=[PART, {"caption": "last", "delay_minutes": 5}])
    assert edited.status_code == 202, edited.text
    assert [part["delay_minutes"] for part in edited.json["thread"]] == [0, 5]
    assert edited.json["timeline"][-1]["detail"] == "revision 2: thread"
    assert patch(api, caption="new").json["thread"] == edited.json["thread"]
    long = patch(api, thread=[{"caption": "a" * 501}])
    assert (long.status_code, fields(long)) == (422, ["thread.0.caption"])
    assert patch(api, thread=[{}]).status_code == 400
    assert threads(api) == [["more", "last"]]
    assert patch(api, first_comment="one").json["thread"][0]["content"] == "one"
    assert patch(api, thread=[]).json["thread"] == []


def test_many_are_edited_and_a_channel_without_threads_is_refused_by_itself(api: Api) -> None:
    video = api.upload(FILES.mp4(), profile="acme").json["media"]["id"]
    more = {"media_ids": [video], **YOUTUBE}
    assert publish(api, "int-mastodon", "int-youtube", **more).status_code == 202
    [job] = api.get("/jobs?kind=publish").json["items"]
    reply = api.post("/posts/edit", {"job_id": job["id"], "first_comment": "look"})
    assert (reply.json["changed"], len(reply.json["refused"])) == (1, 1)
    assert threads(api) == [["look"], []]


@pytest.fixture
def strange(api: Api) -> Api:
    """Its Postiz has never answered."""
    away = {"postiz": {"api_url": "http://127.0.0.1:9", "api_key": "a-long-enough-key"}}
    assert api.call("PATCH", "/profiles/acme", json={"tts_settings": away}).status_code == 200
    return api


def resolve(api: Api, identifier: str) -> list[str]:
    channel = Channel(id="int-new", identifier=identifier)
    with api.services.database.transaction() as session:
        post = session.scalars(select(Post)).one()
        return [str(fault.code) for fault in deferred_rules.resolve_post(session, post, channel)]


def test_a_thread_is_resolved_and_checked_when_its_channel_is_known(strange: Api) -> None:
    part = {"caption": "plain", "captions_per_platform": {"mastodon": "on mastodon"}}
    assert publish(strange, "int-new", thread=[part]).status_code == 202
    assert threads(strange) == [["plain"]]
    assert resolve(strange, "dribbble") == ["thread_not_supported"]
    assert resolve(strange, "mastodon") == []
    assert threads(strange) == [["on mastodon"]]


def test_a_thread_is_left_out_late_where_it_may_be(strange: Api) -> None:
    reply = publish(strange, "int-new", thread=[PART], thread_policy="where_supported")
    assert reply.status_code == 202
    assert resolve(strange, "dribbble") == []
    assert threads(strange) == [[]]
    with strange.services.database.transaction() as session:
        assert "thread_left_out" in session.scalars(select(Event.event)).all()
