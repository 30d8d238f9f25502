"""Schedules over the API: saved, checked, changed, run by hand, and seen by whom they concern."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from shared.models import Job, Media, Schedule, ScheduleRun
from tests.factories.files import FILES
from tests.servers.api import Api, Reply

NETWORK = "int-mastodon"
BULK = {"items": [{"caption": "one"}, {"caption": "two"}], "integration_ids": [NETWORK]}


@pytest.fixture
def media(api: Api) -> list[str]:
    made = [api.upload(FILES.png(shade), profile="acme") for shade in (10, 20, 30)]
    return [str(reply.json["media"]["id"]) for reply in made]


def create(api: Api, **body: Any) -> Reply:
    default = {} if "playlist" in body else {"bulk": BULK}
    body = {"name": "daily", "cron": "0 9 * * *", "timezone": "Europe/Berlin", **default, **body}
    return api.post("/schedules", body, profile="acme")


def created(api: Api, **body: Any) -> dict[str, Any]:
    reply = create(api, **body)
    assert reply.status_code == 201, reply.text
    return dict(reply.json)


def playlist(media: list[str], **more: Any) -> dict[str, Any]:
    return {"media_ids": media, "integration_ids": [NETWORK], "caption": "A clip", **more}


def patch(api: Api, schedule: dict[str, Any], **body: Any) -> Reply:
    return api.call("PATCH", f"/schedules/{schedule['id']}", json=body)


def run(api: Api, schedule: dict[str, Any], **more: Any) -> Reply:
    return api.post(f"/schedules/{schedule['id']}/run", **more)


def runs(api: Api, schedule: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    return list(api.get(f"/schedules/{schedule['id']}/runs{query}").json["items"])


def fields(reply: Reply, status: int) -> list[str]:
    assert reply.status_code == status, reply.text
    return [error["field"] for error in reply.json["errors"]]


def test_a_schedule_is_answered_as_it_was_saved_with_its_next_fire_time(api: Api) -> None:
    reply = create(api)
    assert reply.status_code == 201, reply.text
    shown = reply.json
    assert reply.headers["Location"] == f"/api/v1/schedules/{shown['id']}"
    assert shown["bulk"] == BULK
    assert shown["playlist"] is None
    assert (shown["enabled"], shown["misfire_grace_seconds"]) == (True, 3600)
    at = datetime.fromisoformat(shown["next_fire_at"])
    now = datetime.now(UTC)
    assert now < at < now + timedelta(days=1, hours=2)
    assert at.minute == 0
    again = api.get(f"/schedules/{shown['id']}").json
    assert again == {name: value for name, value in shown.items() if name != "warnings"}


def test_a_list_has_all_but_the_rows_and_goes_on_by_its_cursor(api: Api) -> None:
    ids = [created(api, name=name, enabled=name != "b")["id"] for name in "abc"]
    first = api.get("/schedules?limit=2").json
    assert [each["id"] for each in first["items"]] == ids[:2]
    assert "bulk" not in first["items"][0]
    assert first["items"][0]["items"] == 2
    rest = api.get(f"/schedules?limit=2&cursor={first['next_cursor']}").json
    assert [each["id"] for each in rest["items"]] == ids[2:]
    resting = api.get("/schedules?enabled=false").json["items"]
    assert [each["name"] for each in resting] == ["b"]
    assert resting[0]["next_fire_at"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"cron": "0 9 * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"misfire_grace_seconds": -1}, "misfire_grace_seconds"),
        ({"bulk": None}, "body"),
        ({"playlist": {"media_ids": ["1"], "integration_ids": ["x"]}, "bulk": BULK}, "body"),
        ({"playlist": {"media_ids": ["1"]}}, "playlist.integration_ids"),
        ({"bulk": {**BULK, "colour": 1}}, "bulk.colour"),
        ({"bulk": {**BULK, "items": [{"when": 1}]}}, "bulk.items.0.when"),
        ({"bulk": {**BULK, "schedule_date": "2031-01-01T00:00:00Z"}}, "bulk.schedule_date"),
        (
            {"bulk": {**BULK, "items": [{"schedule_date": "2031-01-01T00:00:00Z"}]}},
            "bulk.items.0.schedule_date",
        ),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_is_malformed_is_named(api: Api, body: dict[str, Any], field: str) -> None:
    assert fields(create(api, **body), 400) == [field]
    assert api.get("/schedules").json["items"] == []


def test_a_body_is_refused_where_bulk_publish_would_refuse_it(api: Api) -> None:
    wrong = {"items": [{"caption": "a" * 600}, {"caption": "b"}], "integration_ids": [NETWORK]}
    refused = api.post("/postiz/bulk-publish", wrong, profile="acme")
    [expected] = fields(refused, 422)
    assert fields(create(api, bulk=wrong), 422) == [f"bulk.{expected}"]
    assert fields(create(api, bulk={**BULK, "integration_ids": ["nobody"]}), 422) != []


def test_faults_of_a_playlist_name_its_own_places(api: Api, media: list[str]) -> None:
    wrong = playlist([media[0], "999", media[1]], integration_ids=[NETWORK, "nobody"])
    assert set(fields(create(api, playlist=wrong), 422)) == {
        "playlist.media_ids.1",
        "playlist.integration_ids.1",
    }


def test_a_profile_without_postiz_cannot_have_one(bare_api: Api) -> None:
    bare_api.post("/profiles", {"id": "bare", "name": "Bare"})
    body = {"name": "x", "cron": "0 9 * * *", "profile_id": "bare", "bulk": BULK}
    reply = bare_api.post("/schedules", body)
    assert (reply.status_code, reply.json["code"]) == (400, "not_configured")


def test_the_body_names_the_profile_as_well_as_the_header(api: Api) -> None:
    body = {"name": "x", "cron": "0 9 * * *", "profile_id": "acme", "bulk": BULK}
    assert api.post("/schedules", body).status_code == 201
    assert fields(api.post("/schedules", body, profile="other"), 400) == ["profile_id"]
    assert api.post("/schedules", {**body, "profile_id": "other"}).status_code == 404


def test_the_same_key_saves_once_and_runs_once(api: Api) -> None:
    headers = {"Idempotency-Key": "k"}
    body = {"name": "x", "cron": "0 9 * * *", "bulk": BULK}
    first, again = (api.post("/schedules", body, profile="acme", headers=headers) for _ in "12")
    assert first.json == again.json
    assert again.headers["Idempotent-Replayed"] == "true"
    one, other = (run(api, first.json, headers={"Idempotency-Key": "r"}) for _ in "12")
    assert one.json == other.json
    assert len(runs(api, first.json)) == 1


def test_a_run_by_hand_is_a_job_that_starts_now(api: Api) -> None:
    schedule = created(api, enabled=False)
    reply = run(api, schedule)
    assert reply.status_code == 202, reply.text
    job = reply.json["job"]
    assert reply.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["kind"], job["total"]) == ("bulk_publish", 2)
    [shown] = runs(api, schedule)
    assert shown == reply.json["run"]
    assert (shown["state"], shown["by_hand"], shown["job_id"]) == ("started", True, job["id"])
    one, other = api.posts()
    assert other.publish_at - one.publish_at == timedelta(minutes=30)
    assert abs(one.publish_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_slots_of_a_bulk_are_in_the_zone_of_its_schedule(api: Api) -> None:
    schedule = created(api, timezone="Asia/Kolkata", bulk={**BULK, "slots": ["09:00"]})
    assert run(api, schedule).status_code == 202
    assert {post.publish_at.astimezone(UTC).strftime("%H:%M") for post in api.posts()} == {"03:30"}


def test_jitter_differs_from_run_to_run(api: Api) -> None:
    schedule = created(api, bulk={**BULK, "schedule_jitter_minutes": 600})
    assert [run(api, schedule).status_code for _ in "12"] == [202, 202]
    times = [post.publish_at for post in api.posts()]
    assert times[1] - times[0] != times[3] - times[2]


def test_a_playlist_goes_on_from_run_to_run_and_ends(api: Api, media: list[str]) -> None:
    schedule = created(
        api, playlist=playlist(media, per_run=2, media_captions={media[1]: "The second"})
    )
    assert (schedule["items"], schedule["position"]) == (3, 0)
    run(api, schedule)
    assert [post.content for post in api.posts()] == ["A clip", "The second"]
    assert len({post.publish_at for post in api.posts()}) == 1
    run(api, schedule)
    assert [str(post.media_ids[0]) for post in api.posts()] == media
    shown = api.get(f"/schedules/{schedule['id']}").json
    assert (shown["position"], shown["ended"], shown["enabled"]) == (3, True, False)
    refused = run(api, schedule)
    assert (refused.status_code, refused.json["code"]) == (409, "playlist_ended")
    assert patch(api, schedule, enabled=True).json["code"] == "playlist_ended"


def test_a_loop_begins_again(api: Api, media: list[str]) -> None:
    schedule = created(api, playlist=playlist(media, per_run=2, loop=True))
    for _ in "123":
        assert run(api, schedule).status_code == 202
    assert [str(post.media_ids[0]) for post in api.posts()] == media * 2
    assert api.get(f"/schedules/{schedule['id']}").json["position"] == 0


def test_a_longer_list_goes_on_and_a_new_one_begins_anew(api: Api, media: list[str]) -> None:
    schedule = created(api, playlist=playlist(media[:2], per_run=2))
    run(api, schedule)
    longer = patch(api, schedule, playlist=playlist(media), enabled=True).json
    assert (longer["position"], longer["ended"], longer["enabled"]) == (2, False, True)
    other = patch(api, schedule, playlist=playlist(media[::-1])).json
    assert other["position"] == 0
    chosen = patch(api, schedule, playlist=playlist(media, position=1)).json
    assert chosen["position"] == 1


def test_another_time_counts_from_now_and_another_name_changes_no_time(api: Api) -> None:
    schedule = created(api)
    due = datetime.now(UTC) - timedelta(minutes=5)
    with api.services.database.transaction() as session:
        session.execute(update(Schedule).values(next_fire_at=due))
    renamed = patch(api, schedule, name="other", misfire_grace_seconds=60).json
    assert datetime.fromisoformat(renamed["next_fire_at"]) == due
    moved = patch(api, schedule, cron="*/5  * * * *").json
    assert moved["cron"] == "*/5 * * * *"
    assert datetime.fromisoformat(moved["next_fire_at"]) > datetime.now(UTC) - timedelta(seconds=5)
    rested = patch(api, schedule, enabled=False).json
    assert (rested["enabled"], rested["next_fire_at"]) == (False, None)
    assert patch(api, schedule, cron="0 4 * * *").json["next_fire_at"] is None
    assert patch(api, schedule, enabled=True).json["next_fire_at"] is not None


def test_a_refused_change_changes_nothing(api: Api) -> None:
    schedule = created(api)
    wrong = {"items": [{"caption": "a" * 600}], "integration_ids": [NETWORK]}
    assert patch(api, schedule, name="other", bulk=wrong).status_code == 422
    assert fields(patch(api, schedule, cron="x"), 400) == ["cron"]
    assert api.get(f"/schedules/{schedule['id']}").json["name"] == "daily"


def test_of_two_who_change_it_the_second_is_told(api: Api) -> None:
    schedule = created(api)
    first = patch(api, schedule, name="first", as_of=schedule["updated_at"])
    assert (first.status_code, first.json["name"]) == (200, "first")
    second = patch(api, schedule, name="second", as_of=schedule["updated_at"])
    assert (second.status_code, second.json["code"]) == (409, "changed_meanwhile")
    assert patch(api, schedule, name="third", as_of=first.json["updated_at"]).status_code == 200
    assert patch(api, schedule, name="whatever was there").status_code == 200


def test_a_deleted_schedule_takes_its_runs_along_and_leaves_its_jobs(api: Api) -> None:
    schedule = created(api)
    job = run(api, schedule).json["job"]
    assert api.call("DELETE", f"/schedules/{schedule['id']}").status_code == 204
    assert api.get(f"/schedules/{schedule['id']}").status_code == 404
    assert api.get(f"/schedules/{schedule['id']}/runs").status_code == 404
    assert api.get(f"/jobs/{job['id']}").status_code == 200
    assert api.rows()["schedule_runs"] == 0


def test_runs_are_listed_newest_first_by_state_and_page(api: Api) -> None:
    schedule = created(api)
    with api.services.database.transaction() as session:
        for number, state in enumerate(["started", "missed", "failed", "missed"]):
            at = datetime(2026, 1, 1 + number, tzinfo=UTC)
            session.add(ScheduleRun(schedule_id=int(schedule["id"]), fire_at=at, state=state))
    assert [each["state"] for each in runs(api, schedule)] == [
        "missed",
        "failed",
        "missed",
        "started",
    ]
    assert len(runs(api, schedule, "?state=missed")) == 2
    path = f"/schedules/{schedule['id']}/runs?limit=3"
    first = api.get(path).json
    rest = api.get(f"{path}&cursor={first['next_cursor']}").json
    assert [each["state"] for each in rest["items"]] == ["started"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda api, path, key: api.get(path, key=key),
        lambda api, path, key: api.get(f"{path}/runs", key=key),
        lambda api, path, key: api.post(f"{path}/run", key=key),
        lambda api, path, key: api.call("PATCH", path, json={"name": "mine"}, key=key),
        lambda api, path, key: api.call("DELETE", path, key=key),
    ],
)
def test_a_key_of_another_profile_finds_no_schedule(
    api: Api, ask: Callable[[Api, str, str], Reply]
) -> None:
    schedule = created(api)
    assert api.post("/profiles", {"id": "other", "name": "Other"}).status_code == 201
    stranger = api.key("admin", profiles=["other"])
    assert ask(api, f"/schedules/{schedule['id']}", stranger).status_code == 404
    assert api.get("/schedules", key=stranger).json["items"] == []
    own = api.key("read", "publish", profiles=["acme"])
    assert len(api.get("/schedules", key=own).json["items"]) == 1


def test_reading_needs_read_and_changing_needs_publish(api: Api) -> None:
    schedule = created(api)
    reader, other = api.key("read"), api.key("publish")
    assert api.get("/schedules", key=reader).status_code == 200
    assert run(api, schedule, key=reader).status_code == 403
    assert api.get("/schedules", key=other).status_code == 403
    assert run(api, schedule, key=other).status_code == 202


def test_a_deleted_profile_takes_its_schedules_along(api: Api) -> None:
    schedule = created(api)
    run(api, schedule)
    assert api.call("DELETE", "/profiles/acme?force=true").status_code == 204
    rows = api.rows()
    assert (rows["schedules"], rows["schedule_runs"], rows["jobs"]) == (0, 0, 0)


def test_a_schedule_knows_which_media_it_needs(api: Api, media: list[str]) -> None:
    created(api, playlist=playlist(media))
    items = [{"caption": "x", "media_ids": [media[2]]}]
    created(api, bulk={**BULK, "items": items, "media_ids": [media[0]]})
    with api.services.database.transaction() as session:
        one, other = session.scalars(select(Schedule.media_ids).order_by(Schedule.id))
        assert one == list(session.scalars(select(Media.id).order_by(Media.id)))
        assert [str(each) for each in other] == [media[0], media[2]]


def test_a_job_says_which_schedule_it_came_from(api: Api) -> None:
    schedule = created(api)
    run(api, schedule)
    with api.services.database.transaction() as session:
        [job] = session.scalars(select(Job))
    assert job.options["schedule_id"] == schedule["id"]
