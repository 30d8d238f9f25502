"""Edits as their callers use them: of one post, and of many by a filter."""

import time
from typing import Any

import pytest

from tests.factories.jobs import make_job, set_states
from tests.servers.api import Api, Reply

START = "2031-08-01T00:00:00Z"


def patch(api: Api, post: int, **body: Any) -> Reply:
    return api.call("PATCH", f"/posts/{post}", json=body)


def ids(api: Api) -> list[int]:
    return [post.id for post in api.posts()]


def codes(reply: Reply) -> dict[str, int]:
    return {refused["code"]: refused["count"] for refused in reply.json["refused"]}


def test_what_is_given_changes_and_the_rest_stays(api: Api) -> None:
    make_job(api)
    [post] = ids(api)
    reply = patch(api, post, caption="better", publish_at="2031-08-01T09:00", timezone="Asia/Tokyo")
    assert reply.status_code == 202, reply.text
    assert (reply.json["content"], reply.json["publish_at"]) == ("better", START)
    assert (reply.json["state"], reply.json["revision"]) == ("pending", 2)
    assert reply.json["timeline"][-1]["detail"] == "revision 2: content"
    assert patch(api, post, publish_at="2031-08-02T00:00:00Z").json["content"] == "better"


def test_an_edit_that_changes_nothing_makes_no_revision(api: Api) -> None:
    make_job(api)
    [post] = ids(api)
    assert patch(api, post, caption="clip 0", publish_at=START).json["revision"] == 1
    assert patch(api, post).json["revision"] == 1


def test_of_two_editors_the_second_is_told(api: Api) -> None:
    make_job(api)
    [post] = ids(api)
    assert patch(api, post, caption="first", revision=1).status_code == 202
    second = patch(api, post, caption="second", revision=1)
    assert (second.status_code, second.json["code"]) == (409, "changed_meanwhile")
    assert api.get(f"/posts/{post}").json["content"] == "first"


@pytest.mark.parametrize("state", ["releasing", "scheduled", "published", "cancelling"])
def test_what_is_on_its_way_is_too_late_to_edit(api: Api, state: str) -> None:
    make_job(api)
    [post] = ids(api)
    set_states(api, state, error_code="overdue_in_postiz" if state == "scheduled" else None)
    reply = patch(api, post, caption="better")
    assert (reply.status_code, reply.json["code"]) == (409, "too_late_to_edit")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"publish_at": "2020-01-01T00:00:00Z"}, 422, "in_the_past"),
        ({"publish_at": "2120-01-01T00:00:00Z"}, 422, "too_far"),
        ({"publish_at": "9999-12-31T23:59:59-12:00"}, 400, None),
        ({"caption": "x" * 600}, 422, None),
        ({"media_ids": ["999999"]}, 422, None),
        ({"caption": "", "media_ids": []}, 422, None),
        ({"caption": 7}, 400, None),
        ({"timezone": "Mars/Olympus"}, 400, None),
        ({"revision": 0}, 400, None),
        ({"colour": "red"}, 400, None),
    ],
)
def test_a_refused_edit_changes_nothing(
    api: Api, body: dict[str, Any], status: int, code: str | None
) -> None:
    make_job(api)
    [post] = ids(api)
    before = api.get(f"/posts/{post}").json
    reply = patch(api, post, **body)
    assert reply.status_code == status, reply.text
    assert code is None or reply.json["code"] == code
    assert api.get(f"/posts/{post}").json == before


def test_a_post_of_another_profile_is_not_found(api: Api) -> None:
    make_job(api)
    [post] = ids(api)
    assert api.post("/profiles", {"id": "other", "name": "Other"}).status_code == 201
    other = api.key("publish", "read", profiles=["other"])
    reply = api.call("PATCH", f"/posts/{post}", json={"caption": "mine"}, key=other)
    assert reply.status_code == 404


def test_an_edit_during_a_call_is_shown_as_what_will_be_published(api: Api) -> None:
    make_job(api)
    [post] = ids(api)
    set_states(api, "staging")
    reply = patch(api, post, caption="better")
    assert (reply.json["state"], reply.json["content"]) == ("staging", "better")
    assert api.posts()[0].content == "clip 0"


def test_many_are_moved_by_some_minutes(api: Api) -> None:
    job = make_job(api, 3)
    set_states(api, "published")
    body = {"job_id": job, "shift_minutes": 120}
    planned = api.post("/posts/reschedule?dry_run=true", body)
    assert planned.status_code == 200
    assert {**planned.json, "refused": []} == {"matched": 3, "would_change": 2, "refused": []}
    assert codes(planned) == {"too_late_to_edit": 1}
    before = [post.publish_at for post in api.posts()]
    moved = api.post("/posts/reschedule", body)
    assert (moved.status_code, moved.json["changed"], codes(moved)) == (202, 2, codes(planned))
    after = [post.publish_at for post in api.posts()]
    hours = [(new - old).total_seconds() / 3600 for new, old in zip(after, before, strict=True)]
    assert hours == [0, 2, 2]


def test_many_follow_each_other_from_a_start_in_slots(api: Api) -> None:
    job = make_job(api, 3)
    body = {
        "job_id": job,
        "schedule_date": "2032-01-01T00:00",
        "slots": ["09:00", "18:30"],
        "timezone": "Europe/Berlin",
    }
    assert api.post("/posts/reschedule", body).json["changed"] == 3
    assert [post.publish_at.isoformat() for post in api.posts()] == [
        "2032-01-01T08:00:00+00:00",
        "2032-01-01T17:30:00+00:00",
        "2032-01-02T08:00:00+00:00",
    ]
    later = {"job_id": job, "schedule_date": "2032-02-01T00:00Z", "schedule_interval_minutes": 5}
    assert api.post("/posts/reschedule", later).json["changed"] == 3
    assert [post.publish_at.minute for post in api.posts()] == [0, 5, 10]


def test_what_would_be_past_is_refused_by_itself(api: Api) -> None:
    make_job(api, 2, schedule_date=None, schedule_interval_minutes=600)
    reply = api.post("/posts/reschedule", {"ids": [str(i) for i in ids(api)], "shift_minutes": -60})
    assert (reply.json["matched"], reply.json["changed"]) == (2, 1)
    assert codes(reply) == {"in_the_past": 1}


def test_many_get_another_caption_but_for_what_a_network_refuses(api: Api) -> None:
    job = make_job(api, 2)
    reply = api.post("/posts/edit", {"job_id": job, "caption": "for all"})
    assert reply.json == {"matched": 2, "changed": 2, "refused": []}
    assert {post.content for post in api.posts()} == {"for all"}
    long = api.post("/posts/edit", {"job_id": job, "caption": "x" * 600})
    assert (long.json["changed"], list(codes(long).values())) == (0, [2])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"shift_minutes": 5},
        {"job_id": "1"},
        {"job_id": "1", "shift_minutes": 5, "schedule_date": START},
        {"job_id": "1", "shift_minutes": 1e9},
        {"job_id": "1", "schedule_date": START, "slots": ["25:00"]},
    ],
)
def test_a_move_without_a_filter_or_a_direction_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.post("/posts/reschedule", body).status_code == 400


def test_a_filter_that_meets_nothing_changes_nothing(api: Api) -> None:
    body = {"external_id": "nobody's", "shift_minutes": 5}
    assert api.post("/posts/reschedule", body).json == {"matched": 0, "changed": 0, "refused": []}


def test_cancel_and_retry_say_before_what_they_would_change(api: Api) -> None:
    job = make_job(api, 3)
    set_states(api, "published", "failed")
    planned = api.post("/posts/cancel?dry_run=true", {"job_id": job})
    assert planned.json == {"matched": 3, "would_change": 1, "refused": []}
    retried = api.post("/posts/retry?dry_run=true", {"job_id": job})
    assert retried.json == {"matched": 3, "would_change": 1, "refused": []}
    assert [post.state for post in api.posts()] == ["published", "failed", "pending"]
    cancelled = api.post("/posts/cancel", {"job_id": job}).json
    assert (cancelled["matched"], cancelled["changed"]) == (3, 1)


def test_ten_thousand_are_moved_at_once_as_the_dry_run_says(api: Api) -> None:
    """How fast: tests/bench/test_moves.py."""
    job = make_job(api, 10_000)
    set_states(api, "published", "failed")
    body = {"job_id": job, "shift_minutes": 120}
    planned = api.post("/posts/reschedule?dry_run=true", body).json
    began = time.monotonic()
    reply = api.post("/posts/reschedule", body)
    took = time.monotonic() - began
    assert reply.status_code == 202
    assert reply.json == {"changed": planned.pop("would_change"), **planned}
    assert (reply.json["matched"], reply.json["changed"]) == (10_000, 9_999)
    print(f"10,000 posts moved in {took:.1f} s")
