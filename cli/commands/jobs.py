"""`pressroom jobs`: accepted requests, each with its posts or uploads."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.failures import CliFailure
from cli.groups import new_group
from cli.http.api import Api
from cli.live.watch import UPLOADS, watch_job
from cli.options import MOST, JsonFields, Limit, ProfileId, connect
from cli.output import Listing, Row, format_time, show
from cli.words import Word, give_word

JOBS = Listing(
    fields=(
        "id",
        "kind",
        "profile_id",
        "state",
        "counts",
        "total",
        "percentage",
        "in_doubt",
        "overdue",
        "eta",
        "external_id",
        "created_at",
        "updated_at",
        "finished_at",
    ),
    columns={
        "ID": lambda row: row["id"],
        "KIND": lambda row: row["kind"],
        "PROFILE": lambda row: row["profile_id"],
        "STATE": lambda row: row["state"],
        "DONE": lambda row: f"{row['percentage']}%",
        "OF": lambda row: row["total"],
        "CREATED": lambda row: format_time(row["created_at"]),
    },
)
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of a job")]
State = Annotated[
    str | None,
    typer.Option(
        metavar="STATE",
        help="queued, running, paused, completed, completed_with_errors, failed or cancelled",
    ),
]
Kind = Annotated[
    str | None, typer.Option(metavar="KIND", help="upload, bulk_upload, publish or bulk_publish")
]


def list_jobs(
    state: State = None,
    kind: Kind = None,
    limit: Limit = MOST,
    json: JsonFields = None,
    profile: ProfileId = None,
) -> None:
    """List the jobs."""
    api = connect(profile)
    asked = {"state": state, "kind": kind}
    show(JOBS, json, lambda: api.items("/jobs", limit, asked), limit=limit)


jobs = new_group("Accepted requests", list_jobs)


@jobs.command("show")
def show_job(job: JobId, json: JsonFields = None, profile: ProfileId = None) -> None:
    """Show a job."""
    api = connect(profile)
    show(JOBS, json, lambda: [api.get(job_path(job))])


@jobs.command("watch")
def watch(job: JobId, json: JsonFields = None, profile: ProfileId = None) -> None:
    """Follow a job until it waits for nothing more.

    The exit code is 1 if something failed, or the job was cancelled.
    """
    api = connect(profile)
    [ended] = show(JOBS, json, lambda: [watch_job(api, job)])
    if ended["state"] != "completed":
        raise typer.Exit(1)


@jobs.command("cancel")
def cancel(job: JobId, json: JsonFields = None, profile: ProfileId = None) -> None:
    """Take back what a job has not published."""
    api = connect(profile)
    show(JOBS, json, lambda: [api.post(f"{job_path(job)}/cancel")])


@jobs.command("retry")
def retry(
    job: JobId,
    confirm_not_published: Annotated[
        bool,
        typer.Option(
            "--confirm-not-published",
            help="Your word that what may be on the network is not: else those are left",
        ),
    ] = False,
    json: JsonFields = None,
    profile: ProfileId = None,
) -> None:
    """Try again what failed of a job.

    If the answer to your word is lost, the same command does not give it again for what was
    released on it.
    """
    api = connect(profile)
    retry_it = _retry_on_word if confirm_not_published else _retry
    show(JOBS, json, lambda: [retry_it(api, job)])


def _retry(api: Api, job: str) -> Row:
    retried: Row = api.post(f"{job_path(job)}/retry")
    return retried


def _retry_on_word(api: Api, job: str) -> Row:
    shown: Row = api.get(job_path(job))
    if shown["kind"] in UPLOADS:
        return _retry(api, job)
    api.profile = shown["profile_id"]
    body = {"job_id": shown["id"], "confirm_not_published": True}

    def send(word: Word) -> dict[str, Any]:
        changed: dict[str, Any] = api.post("/posts/retry", body, key=word.key)
        return changed

    done = give_word(api, f"job {shown['id']}", None, send)
    if not done["changed"]:
        refused = done["refused"]
        raise CliFailure(refused[0]["message"] if refused else "The job has no failed posts")
    retried: Row = api.get(job_path(job))
    return retried


def job_path(job: str) -> str:
    return f"/jobs/{quote(job, safe='')}"
