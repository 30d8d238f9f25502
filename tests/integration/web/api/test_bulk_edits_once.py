"""Edits of many posts that are broken off, repeated, or meet locks: each post is moved once."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from shared.models import Event, Post
from shared.posts import bulk_cancel_retry, bulk_edits, edits
from tests.factories.jobs import make_job, set_states
from tests.servers.api import Api, Reply

ONCE = {"Idempotency-Key": "once"}
START = datetime(2031, 8, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def move(api: Api, body: dict[str, Any]) -> Reply:
    return api.post("/posts/reschedule", body, headers=ONCE)


def times(api: Api) -> list[float]:
    """Hours after the start, in the order in which the posts were accepted."""
    return [(post.publish_at - START) / HOUR for post in api.posts()]


def break_off_after(monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """As if the process was killed after so many batches of two posts."""
    edit_posts, calls = edits.edit_posts, iter(range(batches))

    def edit_or_die(*arguments: Any) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        edit_posts(*arguments)

    monkeypatch.setattr(bulk_edits, "BATCH", 2)
    monkeypatch.setattr(edits, "edit_posts", edit_or_die)


@pytest.mark.parametrize(
    ("how", "moved"),
    [
        ({"shift_minutes": 600}, [10, 11, 12, 13, 14]),
        ({"schedule_date": "2031-08-02T00:00Z", "schedule_interval_minutes": 60}, range(24, 29)),
    ],
)
def test_a_move_that_was_broken_off_goes_on_when_it_is_repeated(
    api: Api, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], moved: list[int]
) -> None:
    body = {"job_id": make_job(api, 5, schedule_interval_minutes=60), **how}
    with monkeypatch.context() as broken:
        break_off_after(broken, 1)
        with pytest.raises(KeyboardInterrupt):
            move(api, body)
    assert times(api) == [*moved[:2], 2, 3, 4]
    reply = move(api, body)
    assert reply.json == {"matched": 5, "changed": 5, "refused": []}
    assert times(api) == list(moved)
    again = move(api, body)
    assert (again.json, again.headers["Idempotent-Replayed"]) == (reply.json, "true")
    assert times(api) == list(moved)
    assert api.rows()["requested_edits"] == 0
    other = move(api, {**body, "shift_minutes": 1, "schedule_date": None})
    assert (other.status_code, other.json["code"]) == (422, "key_reused")


def test_a_filter_by_time_does_not_move_what_was_moved_into_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(api, 4, schedule_interval_minutes=60)
    body = {"profile_id": "acme", "from": START.isoformat(), "shift_minutes": 60}
    with monkeypatch.context() as broken:
        break_off_after(broken, 1)
        with pytest.raises(KeyboardInterrupt):
            move(api, body)
    assert move(api, body).json["changed"] == 4
    assert times(api) == [1, 2, 3, 4]


def test_two_that_send_the_same_move_at_once_move_each_post_once(api: Api) -> None:
    body = {"job_id": make_job(api, 40, schedule_interval_minutes=60), "shift_minutes": 60}
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(move(api, body).json)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"matched": 40, "changed": 40, "refused": []}] * 2
    assert times(api) == list(range(1, 41))


@pytest.mark.parametrize("headers", [None, ONCE])
def test_a_post_that_stays_locked_is_named_and_the_others_are_moved(
    api: Api, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str] | None
) -> None:
    body = {"job_id": make_job(api, 3, schedule_interval_minutes=60), "shift_minutes": 60}
    monkeypatch.setattr(bulk_edits, "PATIENCE", 0.2)
    first = api.posts()[0].id
    with api.services.database.transaction() as session:
        session.execute(select(Post.id).where(Post.id == first).with_for_update())
        reply = api.post("/posts/reschedule", body, headers=headers)
    assert times(api) == [0, 2, 3]
    if headers is None:
        assert (reply.status_code, reply.json["matched"], reply.json["changed"]) == (202, 3, 2)
        assert [each["code"] for each in reply.json["refused"]] == ["busy"]
    else:
        assert reply.status_code == 503
        assert "same Idempotency-Key" in reply.json["detail"]
        assert move(api, body).json == {"matched": 3, "changed": 3, "refused": []}
        assert times(api) == [1, 2, 3]


def test_a_long_first_pass_leaves_time_for_what_was_locked_in_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time that the others take is not taken from the time to wait for a lock."""
    job = make_job(api, 3)
    monkeypatch.setattr(bulk_edits, "PATIENCE", -1.0)
    monkeypatch.setattr(bulk_cancel_retry, "PATIENCE", -1.0)
    assert api.post("/posts/edit", {"job_id": job, "caption": "all"}).json["changed"] == 3
    assert api.post("/posts/cancel", {"job_id": job}).json["changed"] == 3


def test_a_post_that_is_deleted_meanwhile_is_not_waited_for(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, find = make_job(api, 3), bulk_edits.find_matching_posts

    def find_and_delete(*arguments: Any) -> list[int]:
        found = find(*arguments)
        with api.services.database.transaction() as session:
            session.execute(delete(Event).where(Event.post_id == found[0]))
            session.execute(delete(Post).where(Post.id == found[0]))
        return found

    monkeypatch.setattr(bulk_edits, "find_matching_posts", find_and_delete)
    reply = api.post("/posts/reschedule", {"job_id": job, "shift_minutes": 60})
    assert (reply.json["changed"], reply.json["refused"]) == (2, [])


def test_a_repeated_retry_or_cancel_is_answered_as_before(api: Api) -> None:
    job = make_job(api, 2)
    set_states(api, "failed", error_code="too_many_attempts")
    for path, changed in (("retry", 1), ("cancel", 2)):
        headers = {"Idempotency-Key": path}
        first = api.post(f"/posts/{path}", {"job_id": job}, headers=headers)
        assert (first.status_code, first.json["changed"]) == (202, changed)
        again = api.post(f"/posts/{path}", {"job_id": job}, headers=headers)
        assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")


def test_a_key_alone_is_no_change_that_anybody_made(api: Api) -> None:
    make_job(api)
    before = len(api.get("/audit").json["items"])
    reply = move(api, {"external_id": "nobody's", "shift_minutes": 5})
    assert reply.json == {"matched": 0, "changed": 0, "refused": []}
    assert len(api.get("/audit").json["items"]) == before
