"""Posts that are moved keep to the daily cap of their bulk."""

from functools import partial
from typing import Any

import pytest

from shared.posts import occupancy
from tests.factories.jobs import make_job
from tests.servers.api import Api, Reply
from tests.timing.at_once import do_at_once, leaving_together

DAY = 24 * 60


def capped(api: Api, number: int) -> tuple[str, list[str]]:
    """A bulk with two posts a day in Berlin, from the 1st of August on: its job and posts."""
    times = {"timezone": "Europe/Berlin", "slots": ["09:00", "18:30"]}
    job = make_job(api, number, daily_cap_per_integration=2, **times)
    return job, [str(post.id) for post in api.posts()[-number:]]


def days(api: Api) -> list[int]:
    return [post.publish_at.day for post in api.posts()]


def move(api: Api, minutes: int, **which: Any) -> Reply:
    body = {**which, "shift_minutes": minutes}
    planned = api.post("/posts/reschedule?dry_run=true", body).json
    moved = api.post("/posts/reschedule", body)
    assert moved.json == {"changed": planned.pop("would_change"), **planned}
    return moved


def test_a_post_is_not_moved_to_a_day_that_is_full(api: Api) -> None:
    _, [first, *_] = capped(api, 4)
    there = {"publish_at": "2031-08-02T23:30", "timezone": "Europe/Berlin", "caption": "new"}
    reply = api.call("PATCH", f"/posts/{first}", json=there)
    assert (reply.status_code, reply.json["code"]) == (422, "over_daily_cap")
    assert "choose another day" in reply.json["detail"]
    assert api.posts()[0].content == "clip 0"
    for free in ("2031-08-01T23:30", "2031-08-03T00:30"):
        assert (
            api.call("PATCH", f"/posts/{first}", json={**there, "publish_at": free}).status_code
            == 202
        )


def test_only_one_of_two_gets_the_last_place_of_a_day(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, [first, second, *_] = capped(api, 5)
    look_together = leaving_together(occupancy.read_due_times)
    monkeypatch.setattr(occupancy, "read_due_times", look_together)
    there = {"publish_at": "2031-08-03T23:30", "timezone": "Europe/Berlin"}
    moves = [partial(api.call, "PATCH", f"/posts/{id_}", json=there) for id_ in (first, second)]
    assert sorted(reply.status_code for reply in do_at_once(*moves)) == [202, 422]
    assert sorted(days(api)) == [1, 2, 2, 3, 3]


def test_moves_of_many_at_once_keep_to_the_cap_together(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look before either moves."""
    _, ids = capped(api, 5)
    look_together = leaving_together(occupancy.read_due_times)
    monkeypatch.setattr(occupancy, "read_due_times", look_together)
    there = {"publish_at": "2031-08-03T23:30", "timezone": "Europe/Berlin"}
    moves = [partial(api.post, "/posts/edit", {**there, "ids": ids[at : at + 2]}) for at in (0, 2)]
    replies = do_at_once(*moves)
    assert sum(reply.json["changed"] for reply in replies) == 1
    reasons = [reason["code"] for reply in replies for reason in reply.json["refused"]]
    assert set(reasons) == {"over_daily_cap"}
    assert days(api).count(3) == 2


def test_a_client_of_postiz_is_refused_too(api: Api) -> None:
    _, [first, *_] = capped(api, 4)
    key = api.key("read", "publish", profiles=["acme"])
    part = {"id": first, "content": "clip 0", "image": []}
    post = {"integration": {"id": "int-mastodon"}, "value": [part], "settings": {}}
    body = {"type": "schedule", "shortLink": False, "tags": [], "posts": [post]}
    full = api.call(
        "POST", "/public/v1/posts", key=key, json={**body, "date": "2031-08-02T20:00:00Z"}
    )
    assert full.status_code == 400
    assert "choose another day" in full.text
    assert days(api) == [1, 1, 2, 2]
    free = {**body, "date": "2031-08-03T20:00:00Z"}
    assert api.call("POST", "/public/v1/posts", key=key, json=free).status_code == 201
    assert sorted(days(api)) == [1, 2, 2, 3]


def test_posts_that_move_together_make_room_for_each_other(api: Api) -> None:
    job, ids = capped(api, 6)
    assert move(api, DAY, job_id=job).json == {"matched": 6, "changed": 6, "refused": []}
    assert days(api) == [2, 2, 3, 3, 4, 4]
    refused = move(api, DAY, ids=ids[:3])
    assert (refused.json["changed"], days(api)) == (0, [2, 2, 3, 3, 4, 4])
    [reason] = refused.json["refused"]
    assert (reason["code"], reason["count"]) == ("over_daily_cap", 3)
    assert move(api, -DAY, ids=ids[2:]).json["changed"] == 0
    assert move(api, -DAY, ids=ids[:2]).json["changed"] == 2
    assert move(api, -DAY, ids=ids[2:]).json["changed"] == 4
    again = {"schedule_date": "2031-08-02T00:00", "timezone": "Europe/Berlin"}
    body = {"job_id": job, **again, "slots": ["09:00", "18:30"]}
    assert api.post("/posts/reschedule", body).json["changed"] == 6
    assert days(api) == [2, 2, 3, 3, 4, 4]


def test_other_posts_of_the_channel_count_and_those_without_a_cap_go_anywhere(api: Api) -> None:
    _, [mine] = capped(api, 1)
    make_job(api, 2, schedule_date="2031-08-02T12:00:00Z")
    assert move(api, DAY, ids=[mine]).json["changed"] == 0
    others = [str(post.id) for post in api.posts()[1:]]
    assert move(api, -DAY, ids=others).json["changed"] == 2
    api.post("/posts/cancel", {"ids": others})
    assert move(api, DAY, ids=[mine]).json["changed"] == 1
