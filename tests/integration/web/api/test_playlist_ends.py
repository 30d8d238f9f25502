"""When a playlist ends, and which of its media are passed over."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared.crypto import SecretBox
from shared.models import Post, Schedule, ScheduleRun
from shared.posts import occupancy
from shared.schedules.definitions import RunContext
from tests.factories.files import FILES
from tests.servers.api import Api, Reply
from tests.timing.at_once import do_at_once, leaving_together
from tests.workers.runtimes import worker_beside
from worker.runtime import Runtime
from worker.schedules import fire

FIRST, SECOND = "int-mastodon", "int-x"


@pytest.fixture
def media(api: Api) -> list[str]:
    made = [api.upload(FILES.png(shade), profile="acme") for shade in (10, 20, 30)]
    return [str(reply.json["media"]["id"]) for reply in made]


@pytest.fixture
def runtime(api: Api, tmp_path: Path) -> Iterator[Runtime]:
    with worker_beside(api, tmp_path) as started:
        yield started


def save(api: Api, media: list[str], **more: Any) -> dict[str, Any]:
    playlist = {"media_ids": media, "integration_ids": [FIRST], "caption": "A clip", **more}
    body = {"name": "clips", "cron": "0 9 * * *", "playlist": playlist}
    reply = api.post("/schedules", body, profile="acme")
    assert reply.status_code == 201, reply.text
    return dict(reply.json)


def run(api: Api, schedule: dict[str, Any]) -> Reply:
    return api.post(f"/schedules/{schedule['id']}/run")


def shown(api: Api, schedule: dict[str, Any]) -> dict[str, Any]:
    return dict(api.get(f"/schedules/{schedule['id']}").json)


def published(api: Api) -> list[tuple[str, str]]:
    return [(str(post.media_ids[0]), post.integration_id) for post in api.posts()]


def test_it_ends_after_so_many_runs(api: Api, media: list[str]) -> None:
    schedule = save(api, media, loop=True, max_runs=2)
    assert schedule["runs_left"] == 2
    assert [run(api, schedule).status_code for _ in "12"] == [202, 202]
    after = shown(api, schedule)
    assert (after["runs_left"], after["ended"], after["enabled"]) == (0, True, False)
    assert run(api, schedule).json["code"] == "playlist_ended"


def test_it_ends_at_its_time(api: Api, media: list[str]) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    over = save(api, media, loop=True, until=soon)
    assert (over["enabled"], over["ended"]) == (False, True)
    no_zone = save(api, media, loop=True, until="2031-01-01T00:00", timezone="Asia/Tokyo")
    with api.services.database.transaction() as session:
        saved = session.get_one(Schedule, int(no_zone["id"]))
        assert saved.until == datetime(2030, 12, 31, 15, tzinfo=UTC)
    far = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    assert save(api, media, loop=True, until=far)["enabled"]


def test_no_medium_comes_twice_on_one_channel_within_the_cooldown(
    api: Api, media: list[str]
) -> None:
    once = {"media_ids": media[:1], "integration_ids": [FIRST], "caption": "before"}
    assert api.post("/postiz/publish", once, profile="acme").status_code == 202
    both = {"integration_ids": [FIRST, SECOND], "cooldown_days": 30, "per_run": 2}
    schedule = save(api, [*media, media[1]], loop=True, **both)
    assert [run(api, schedule).status_code for _ in "12"] == [202, 202]
    expected = {(name, channel) for name in media for channel in (FIRST, SECOND)}
    assert sorted(published(api)) == sorted(expected)
    nothing = run(api, schedule)
    assert (nothing.status_code, nothing.json["code"]) == (409, "nothing_due")
    with api.services.database.transaction() as session:
        long_ago = func.now() - timedelta(days=31)
        session.execute(update(Post).values(publish_at=long_ago))
    assert run(api, schedule).status_code == 202


def test_a_fire_time_that_finds_nothing_is_recorded_and_the_next_one_comes(
    api: Api, runtime: Runtime, media: list[str]
) -> None:
    schedule = save(api, media[:1], loop=True, cooldown_days=1, max_runs=9)
    assert run(api, schedule).status_code == 202
    with api.services.database.transaction() as session:
        session.execute(update(Schedule).values(next_fire_at=func.now()))
    context = RunContext(settings=runtime.settings, box=SecretBox.from_settings(runtime.settings))
    assert fire.fire_next(runtime.database, context)
    with api.services.database.transaction() as session:
        runs = session.scalars(select(ScheduleRun.state).order_by(ScheduleRun.id)).all()
    assert runs == ["started", "nothing_due"]
    assert len(published(api)) == 1
    after = shown(api, schedule)
    assert (after["enabled"], after["runs_left"]) == (True, 8)


def test_the_last_fire_time_before_its_end_is_published(
    api: Api, runtime: Runtime, media: list[str]
) -> None:
    until = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    schedule = save(api, media, loop=True, until=until)
    with api.services.database.transaction() as session:
        soon = func.now() + timedelta(seconds=1)
        session.execute(update(Schedule).values(next_fire_at=func.now(), until=soon))
    context = RunContext(settings=runtime.settings, box=SecretBox.from_settings(runtime.settings))
    assert fire.fire_next(runtime.database, context)
    [ran] = api.get(f"/schedules/{schedule['id']}/runs").json["items"]
    assert (ran["state"], ran["error"]) == ("started", None)
    assert published(api) == [(media[0], FIRST)]
    after = shown(api, schedule)
    assert (after["enabled"], after["ended"]) == (False, True)


def test_two_playlists_at_once_do_not_publish_the_same_medium(
    api: Api, media: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look before either publishes, unless one waits for the other."""
    schedules = [save(api, media[:1], loop=True, cooldown_days=7) for _ in "12"]
    find_together = leaving_together(occupancy.find_used_media)
    monkeypatch.setattr(occupancy, "find_used_media", find_together)

    def play(schedule: dict[str, Any]) -> int:
        return run(api, schedule).status_code

    statuses = do_at_once(*(partial(play, each) for each in schedules))
    assert sorted(statuses) == [202, 409]
    assert published(api) == [(media[0], FIRST)]
