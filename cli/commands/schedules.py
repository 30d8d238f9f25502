"""`pressroom schedules`: what is published again and again."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid4

import typer

from cli.commands.jobs import JOBS
from cli.groups import new_group
from cli.options import MOST, JsonFields, Limit, ProfileId, connect
from cli.output import Listing, format_time, note, show

SCHEDULES = Listing(
    fields=(
        "id",
        "name",
        "cron",
        "timezone",
        "profile_id",
        "kind",
        "items",
        "position",
        "ended",
        "runs_left",
        "enabled",
        "misfire_grace_seconds",
        "next_fire_at",
        "created_at",
        "updated_at",
    ),
    columns={
        "ID": lambda row: row["id"],
        "NAME": lambda row: row["name"],
        "CRON": lambda row: row["cron"],
        "ZONE": lambda row: row["timezone"],
        "PROFILE": lambda row: row["profile_id"],
        "ENABLED": lambda row: row["enabled"],
        "NEXT": lambda row: format_time(row["next_fire_at"]),
    },
)
RUNS = Listing(
    fields=(
        "id",
        "schedule_id",
        "fire_at",
        "state",
        "by_hand",
        "job_id",
        "error",
        "fire_times",
        "until",
        "created_at",
    ),
    columns={
        "ID": lambda row: row["id"],
        "FIRED": lambda row: format_time(row["fire_at"]),
        "STATE": lambda row: row["state"],
        "JOB": lambda row: row["job_id"],
        "ERROR": lambda row: (row["error"] or {}).get("message"),
    },
)
ScheduleId = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The id of a schedule")]


def list_schedules(json: JsonFields = None, profile: ProfileId = None, limit: Limit = MOST) -> None:
    """List the schedules."""
    api = connect(profile)
    show(SCHEDULES, json, lambda: api.items("/schedules", limit), limit=limit)


schedules = new_group("Bulks and playlists, published again and again", list_schedules)


@schedules.command("show")
def show_schedule(schedule: ScheduleId, json: JsonFields = None, profile: ProfileId = None) -> None:
    """Show a schedule."""
    api = connect(profile)
    show(SCHEDULES, json, lambda: [api.get(_path(schedule))])


@schedules.command("run")
def run(schedule: ScheduleId, json: JsonFields = None, profile: ProfileId = None) -> None:
    """Publish now what its next fire time would publish."""
    api = connect(profile)
    once = uuid4().hex  # if an answer is lost, it is not published again
    show(JOBS, json, lambda: [api.post(f"{_path(schedule)}/run", key=once)["job"]])


@schedules.command("runs")
def list_runs(
    schedule: ScheduleId, json: JsonFields = None, profile: ProfileId = None, limit: Limit = MOST
) -> None:
    """List what happened at its fire times, the newest first."""
    api = connect(profile)
    show(RUNS, json, lambda: api.items(f"{_path(schedule)}/runs", limit), limit=limit)


@schedules.command("enable")
def enable(schedule: ScheduleId, json: JsonFields = None, profile: ProfileId = None) -> None:
    """Switch a schedule on."""
    _change(schedule, {"enabled": True}, json, profile)


@schedules.command("disable")
def disable(schedule: ScheduleId, json: JsonFields = None, profile: ProfileId = None) -> None:
    """Switch a schedule off; the jobs of its runs go on."""
    _change(schedule, {"enabled": False}, json, profile)


def _change(schedule: str, body: dict[str, Any], json: JsonFields, profile: ProfileId) -> None:
    api = connect(profile)
    show(SCHEDULES, json, lambda: [api.call("PATCH", _path(schedule), body=body)])


@schedules.command("delete")
def delete(schedule: ScheduleId, profile: ProfileId = None) -> None:
    """Delete a schedule and the records of its runs; their jobs go on."""
    connect(profile).call("DELETE", _path(schedule))
    note(f"Schedule {schedule} is deleted")


def _path(schedule: str) -> str:
    return f"/schedules/{quote(schedule, safe='')}"
