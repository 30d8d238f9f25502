"""Fire times: each runs once or is recorded as missed, whatever becomes of the clocks."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from local.child import ROOT
from local.sandbox.process import SandboxProcess
from shared import db
from shared.crypto import SecretBox
from shared.db import ROW_LOCK
from shared.models import Job, Post, Profile, Schedule, ScheduleRun
from shared.schedules import definitions
from shared.schedules.definitions import RunContext
from tests.factories.files import FILES
from tests.integration.conftest import DEMO_KEY
from tests.servers.api import Api
from tests.servers.settings import SECRET_KEY
from tests.timing.patience import PATIENCE, wait_until
from tests.workers.inline_tasks import InlineWaker
from tests.workers.runtimes import worker_beside
from worker.runtime import Runtime
from worker.schedules import fire

BULK = {"items": [{"caption": "again"}], "integration_ids": ["int-mastodon"]}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def runtime(api: Api, tmp_path: Path) -> Iterator[Runtime]:
    with worker_beside(api, tmp_path) as started:
        yield started


def context(runtime: Runtime) -> RunContext:
    return RunContext(settings=runtime.settings, box=SecretBox.from_settings(runtime.settings))


def minutely(api: Api, *, profile: str = "acme", **body: Any) -> int:
    default = {} if "playlist" in body else {"bulk": BULK}
    body = {"name": "m", "cron": "* * * * *", **default, **body}
    reply = api.post("/schedules", body, profile=profile)
    assert reply.status_code == 201, reply.text
    return int(reply.json["id"])


def due_since(api: Api, minutes: float, *ids: int) -> datetime:
    """As if the clock had been away for so long; the fire time that is due first."""
    with api.services.database.transaction() as session:
        first = _minute(session) - minutes * MINUTE
        which = update(Schedule).where(Schedule.id.in_(ids)) if ids else update(Schedule)
        session.execute(which.values(next_fire_at=first))
    return first


def _minute(session: Session) -> datetime:
    return db.read_clock(session).replace(second=0, microsecond=0)


def all_due(runtime: Runtime) -> None:
    while fire.fire_next(runtime.database, context(runtime)):
        pass


def runs(api: Api, schedule_id: int) -> list[ScheduleRun]:
    with api.services.database.transaction() as session:
        of_it = select(ScheduleRun).where(ScheduleRun.schedule_id == schedule_id)
        return list(session.scalars(of_it.order_by(ScheduleRun.fire_at)))


def schedule_of(api: Api, schedule_id: int) -> Schedule:
    with api.services.database.transaction() as session:
        return session.get_one(Schedule, schedule_id)


def minutes_from(first: datetime, until: datetime) -> list[datetime]:
    return [first + n * MINUTE for n in range(int((until - first) / MINUTE))]


def test_nothing_happens_before_its_time(api: Api, runtime: Runtime) -> None:
    schedule = minutely(api, cron="0 0 1 1 *")
    all_due(runtime)
    assert runs(api, schedule) == []


def test_what_fell_due_runs_late_each_fire_time_once_with_its_own_start(
    api: Api, runtime: Runtime
) -> None:
    schedule = minutely(api)
    first = due_since(api, 2, schedule)
    all_due(runtime)
    found = runs(api, schedule)
    left = schedule_of(api, schedule).next_fire_at
    assert left is not None
    assert [run.fire_at for run in found] == minutes_from(first, left)
    assert {run.state for run in found} == {"started"}
    with api.services.database.transaction() as session:
        posts = session.scalars(select(Post).order_by(Post.id)).all()
    assert [(post.job_id, post.publish_at) for post in posts] == [
        (run.job_id, run.fire_at) for run in found
    ]


def test_later_than_the_grace_is_recorded_as_missed(api: Api, runtime: Runtime) -> None:
    schedule = minutely(api, misfire_grace_seconds=90)
    first = due_since(api, 5, schedule)
    all_due(runtime)
    found = runs(api, schedule)
    assert [run.fire_at for run in found[:5]] == minutes_from(first, first + 5 * MINUTE)
    states = [run.state for run in found]
    assert states == sorted(states)  # first the missed ones, then those that ran
    assert Counter(states)["missed"] in {4, 5}
    shown = api.get(f"/schedules/{schedule}/runs?state=missed").json["items"][0]
    assert (shown["error"]["code"], shown["job_id"], shown["fire_times"]) == ("missed", None, 1)


def test_a_month_away_leaves_one_record_and_goes_on(api: Api, runtime: Runtime) -> None:
    schedule = minutely(api, misfire_grace_seconds=60)
    first = due_since(api, 31 * 24 * 60, schedule)
    all_due(runtime)
    missed, *ran = runs(api, schedule)
    assert (missed.state, missed.fire_at, missed.fire_times) == ("missed", first, None)
    assert missed.until is not None
    assert len(ran) <= 2
    assert all(run.fire_at > missed.until for run in ran)
    next_fire_at = schedule_of(api, schedule).next_fire_at
    assert next_fire_at is not None
    assert next_fire_at > datetime.now(UTC) - MINUTE


def test_a_resting_schedule_does_not_run(api: Api, runtime: Runtime) -> None:
    schedule = minutely(api)
    due_since(api, 2, schedule)
    api.call("PATCH", f"/schedules/{schedule}", json={"enabled": False})
    all_due(runtime)
    assert runs(api, schedule) == []


def test_a_fire_time_that_ran_already_does_not_run_again(api: Api, runtime: Runtime) -> None:
    schedule = minutely(api)
    due_since(api, 1, schedule)
    all_due(runtime)
    before = len(runs(api, schedule))
    due_since(api, 1, schedule)  # as if the clock had been put back
    all_due(runtime)
    assert len(runs(api, schedule)) - before <= 1  # a minute may have passed
    with api.services.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == len(runs(api, schedule))


def unconfigured(api: Api) -> None:
    with api.services.database.transaction() as session:
        profile = session.get_one(Profile, "acme")
        profile.tts_settings, profile.account_id, profile.key_hash = {}, None, None


def paused(api: Api) -> None:
    assert api.post("/profiles/acme/pause").status_code == 200


def spoilt(api: Api) -> None:
    with api.services.database.transaction() as session:
        session.execute(update(Schedule).values(body={"items": []}))


def unheard_of(api: Api) -> None:
    with api.services.database.transaction() as session:
        session.execute(update(Schedule).values(kind="neither"))


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (unconfigured, "not_configured"),
        (paused, "profile_paused"),
        (spoilt, "malformed"),
        (unheard_of, "internal_error"),
    ],
)
def test_what_cannot_run_is_recorded_with_its_reason_and_keeps_nobody_else_from_running(
    api: Api, runtime: Runtime, harm: Any, code: str
) -> None:
    broken = minutely(api)
    harm(api)
    due_since(api, 1, broken)
    all_due(runtime)
    found = runs(api, broken)
    assert found
    assert {(run.state, run.error_code, run.job_id) for run in found} == {("failed", code, None)}
    assert all(run.error_message for run in found)
    assert api.rows()["posts"] == 0
    next_fire_at = schedule_of(api, broken).next_fire_at
    assert next_fire_at is not None
    assert next_fire_at > datetime.now(UTC) - MINUTE


def test_a_failed_run_names_the_faults_and_leaves_the_playlist_where_it_was(
    api: Api, runtime: Runtime
) -> None:
    upload = api.upload(FILES.png(40), profile="acme")
    media = upload.json["media"]["id"]
    playlist = {"media_ids": [media], "integration_ids": ["int-mastodon"], "loop": True}
    schedule = minutely(api, playlist=playlist)
    with api.services.database.transaction() as session:
        session.get_one(Schedule, schedule).body = {**playlist, "integration_ids": ["gone"]}
    due_since(api, 0, schedule)
    all_due(runtime)
    run = runs(api, schedule)[0]
    assert (run.state, run.error_code) == ("failed", "not_publishable")
    assert "playlist.integration_ids.0" in (run.error_message or "")
    assert schedule_of(api, schedule).position == 0


def test_a_playlist_that_ends_rests(api: Api, runtime: Runtime) -> None:
    media = [api.upload(FILES.png(n), profile="acme").json["media"]["id"] for n in (50, 60)]
    schedule = minutely(api, playlist={"media_ids": media, "integration_ids": ["int-mastodon"]})
    due_since(api, 4, schedule)
    all_due(runtime)
    assert [run.state for run in runs(api, schedule)] == ["started", "started"]
    row = schedule_of(api, schedule)
    assert (row.ended, row.position, row.next_fire_at) == (True, 2, None)


def test_who_holds_a_schedule_keeps_no_other_from_running(api: Api, runtime: Runtime) -> None:
    held, free = minutely(api), minutely(api)
    due_since(api, 0.5, held, free)
    with api.services.database.transaction() as session:
        session.get_one(Schedule, held, with_for_update=ROW_LOCK)
        all_due(runtime)
        assert runs(api, free) != []
        assert runs(api, held) == []
    all_due(runtime)
    assert runs(api, held) != []


def test_many_long_runs_of_one_profile_delay_no_other(
    api: Api, postiz: SandboxProcess, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes longer than a tick has, and all of them are due before the other's."""
    many = [minutely(api) for _ in range(6)]
    credentials = {"api_url": postiz.api_url, "api_key": DEMO_KEY}
    body = {"id": "other", "name": "Other", "tts_settings": {"postiz": credentials}}
    assert api.post("/profiles", body).status_code == 201
    other = minutely(api, profile="other")
    due_since(api, 4, *many)
    due_since(api, 1, other)
    monkeypatch.setattr(fire, "SLICE_SECONDS", 0.05)
    start_run = definitions.start_run

    def start_slowly(*args: Any) -> Any:
        time.sleep(0.1)
        return start_run(*args)

    monkeypatch.setattr(definitions, "start_run", start_slowly)
    while sum(len(runs(api, each)) for each in (*many, other)) < 2:
        fire.fire_due(runtime)
    assert [run.state for run in runs(api, other)] == ["started"]


class NotingWaker(InlineWaker):
    """Keeps repeated wake-ups too."""

    def wake(self, task: str, *args: Any, queue: str | None = None) -> bool:
        self.waiting.append((task, args[0]))
        return True


def test_an_account_is_woken_once_for_all_its_schedules(api: Api, runtime: Runtime) -> None:
    ids = [minutely(api) for _ in range(3)]
    due_since(api, 0, *ids)
    runtime.waker = noting = NotingWaker()
    turns = 0
    while any(not runs(api, each) for each in ids):  # a turn is short, and a machine may be slow
        fire.fire_due(runtime)
        turns += 1
    assert 1 <= len(noting.waiting) <= turns


def test_a_process_that_freezes_with_a_schedule_loses_it(api: Api, runtime: Runtime) -> None:
    schedule = minutely(api)
    due_since(api, 0, schedule)
    deadline = time.monotonic() + PATIENCE
    with pytest.raises(OperationalError), runtime.database.transaction() as session:
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '500ms'"))
        held = fire._claim_schedule(session)
        assert held is not None
        assert fire._handle_fire_time(session, held, context(runtime)) is not None
        while not fire.fire_next(runtime.database, context(runtime)):  # another process
            assert time.monotonic() < deadline
    assert [run.state for run in runs(api, schedule)][:1] == ["started"]
    with api.services.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == len(runs(api, schedule))


SCHEDULES = 100
AWAY = 2


def many(api: Api) -> Sequence[int]:
    """A hundred that are due every minute; half of them forgive only two minutes."""
    row = schedule_of(api, minutely(api))
    names = [column.name for column in Schedule.__table__.columns if column.name != "id"]
    facts = {name: getattr(row, name) for name in names}
    with api.services.database.transaction() as session:
        for number in range(1, SCHEDULES):
            grace = 120 if number % 2 else 3600
            session.add(Schedule(**{**facts, "misfire_grace_seconds": grace}))
    with api.services.database.transaction() as session:
        return list(session.scalars(select(Schedule.id)))


@contextmanager
def clocks(api: Api, home: Path, failpoints: str) -> Iterator[Sequence["subprocess.Popen[str]"]]:
    """Two, at work."""
    url = api.services.settings.database_url.get_secret_value()
    command = [sys.executable, "-m", "tests.workers.clock_child", url, str(home), SECRET_KEY]
    environ = {**os.environ, "PRESSROOM_FAILPOINTS": failpoints}
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environ, text=True, stdout=pipe, stderr=nowhere)
        for _ in range(2)
    ]
    try:
        for child in both:
            assert child.stdout is not None
            child.stdout.readline()  # "working", or nothing of one that is dead already
        yield both
    finally:
        for child in both:
            child.kill()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()


def two_clocks(api: Api, home: Path, failpoints: str, *, until: int) -> None:
    """Let two run until so many fire times are behind us, or both are dead; then kill them."""
    with clocks(api, home, failpoints) as both:
        deadline = time.monotonic() + PATIENCE
        while any(child.poll() is None for child in both) and dealt_with(api) < until:
            assert time.monotonic() < deadline
            time.sleep(0.05)  # and then they are killed in the middle of whatever they do


def dealt_with(api: Api) -> int:
    with api.services.database.transaction() as session:
        return session.scalar(select(func.count()).select_from(ScheduleRun)) or 0


def database_time(api: Api) -> datetime:
    with api.services.database.transaction() as session:
        return db.read_clock(session)


def still_due(api: Api, moment: datetime) -> bool:
    """A machine that needs a minute for all of them is never through with what is due by now."""
    with api.services.database.transaction() as session:
        late = select(func.count()).where(Schedule.next_fire_at <= moment)
        return bool(session.scalar(late))


def test_two_clocks_that_are_killed_run_each_fire_time_once_or_record_it_as_missed(
    api: Api, runtime: Runtime, tmp_path: Path
) -> None:
    ids = many(api)
    first = due_since(api, AWAY)
    dying = "fire.before_commit=0.01,fire.after_commit=0.01"
    for share in (60, 150):
        while dealt_with(api) < share:
            two_clocks(api, tmp_path, dying, until=share)
    killed_at = database_time(api)
    with clocks(api, tmp_path, ""):
        wait_until(lambda: not still_due(api, killed_at))
    _check_each(api, ids, first)


def _check_each(api: Api, ids: Sequence[int], first: datetime) -> None:
    with api.services.database.transaction() as session:
        rows = session.scalars(select(ScheduleRun).order_by(ScheduleRun.fire_at)).all()
        jobs = session.scalars(select(Job.id)).all()
        posts = session.scalars(select(Post.job_id)).all()
        nexts = {row.id: row.next_fire_at for row in session.scalars(select(Schedule))}
    for schedule_id in ids:
        mine = [row for row in rows if row.schedule_id == schedule_id]
        following = nexts[schedule_id]
        assert following is not None
        assert [row.fire_at for row in mine] == minutes_from(first, following)
    started = [row.job_id for row in rows if row.state == "started"]
    assert {row.state for row in rows} == {"started", "missed"}
    assert Counter(started) == Counter(jobs) == Counter(posts)  # each a job of its own, none beside
