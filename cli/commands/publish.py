"""`pressroom publish` and `pressroom upload`: from files on this machine."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.commands.jobs import JOBS, job_path
from cli.failures import CliFailure, UsageFailure
from cli.live.watch import telling_that_it_goes_on, watch_job
from cli.options import JsonFields, ProfileId, connect
from cli.output import Listing, parse_fields, show
from cli.publishing.order import Timing, require_times, require_zone
from cli.publishing.run import Wishes, publish_rows
from cli.publishing.source import read_rows, split_list
from cli.questions import confirm
from cli.uploads.delivery import deliver_clips, read_clips

UPLOADED = Listing(
    fields=("file", "media_id", "sha256", "size", "state", "reason"),
    columns={
        "FILE": lambda row: row["file"],
        "MEDIUM": lambda row: row["media_id"],
        "STATE": lambda row: row["state"],
        "REASON": lambda row: row["reason"],
    },
)
Source = Annotated[
    Path, typer.Argument(metavar="FOLDER|CSV", help="A folder of clips, or a CSV file with rows")
]
Channels = Annotated[
    str | None, typer.Option(metavar="IDS", help="Where to, as int-1,int-2: pressroom channels")
]
Captions = Annotated[
    Path | None, typer.Option(metavar="FILE.csv", help="With the columns file,caption")
]
Interval = Annotated[
    float | None,
    typer.Option(min=0, metavar="MINUTES", help="Between two posts; 30 by default, 0: at once"),
]
Slots = Annotated[
    str | None, typer.Option(metavar="TIMES", help="Times of the day instead, as 09:00,18:30")
]
Start = Annotated[
    str | None, typer.Option(metavar="TIME", help="When to begin, as 2031-08-01T09:00; else now")
]
Zone = Annotated[str, typer.Option(metavar="ZONE", help="Of the times, as Europe/Berlin")]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Upload and show the plan, and publish nothing")
]
Again = Annotated[bool, typer.Option("--again", help="Publish also what an earlier run published")]
Draft = Annotated[bool, typer.Option("--draft", help="As drafts in Postiz")]
Approval = Annotated[
    bool, typer.Option("--requires-approval", help="Nothing goes out until it is approved")
]


def upload(
    files: Annotated[list[Path], typer.Argument(metavar="FILES…")],
    json: JsonFields = None,
    profile: ProfileId = None,
) -> None:
    """Upload files, each once.

    Each goes on after a break, and what is there is not sent again.
    """
    parse_fields(UPLOADED, json)
    api = connect(profile)
    clips = read_clips(api, files)
    delivered = deliver_clips(api, clips)
    rows = [{**delivered[clip.sha256].as_row(), "file": str(clip.path)} for clip in clips]
    show(UPLOADED, json, lambda: rows)
    if any(row["media_id"] is None for row in rows):
        raise typer.Exit(1)


def publish(
    source: Source,
    *,
    channels: Channels = None,
    captions: Captions = None,
    interval: Interval = None,
    slots: Slots = None,
    start: Start = None,
    tz: Zone = "UTC",
    yes: Yes = False,
    dry_run: DryRun = False,
    again: Again = False,
    draft: Draft = False,
    approval: Approval = False,
    watch: Annotated[bool, typer.Option(help="Follow the job to its end")] = True,
    json: JsonFields = None,
    profile: ProfileId = None,
) -> None:
    """Publish a folder of clips, each once.

    However often the command is interrupted and run again, it goes on where it stopped. A clip's
    caption is in the CSV file of --captions, else in NAME.txt beside NAME.mp4. A CSV file in place
    of the folder has a row for each post: file, caption, and if wanted channels, publish_at,
    first_comment and caption_NETWORK.
    """
    parse_fields(JOBS, json)
    require_zone(tz)
    timing = Timing(
        interval=interval, slots=split_list(slots) if slots else None, start=start, zone=tz
    )
    more: dict[str, Any] = {"save_as_draft": True} if draft else {}
    more |= {"requires_approval": True} if approval else {}
    ask = _find_asker(yes=yes or dry_run)
    api = connect(profile)
    rows = read_rows(source, captions, split_list(channels or ""))
    require_times(timing, rows)
    wishes = Wishes(source=source, timing=timing, ask=ask, again=again, dry_run=dry_run, more=more)
    job = publish_rows(api, rows, wishes)
    if job is not None and not dry_run:
        _end_with(api, job, json, watch=watch and not approval)


def _find_asker(*, yes: bool) -> Callable[[str], bool] | None:
    """None: nothing is to be asked. Raises `UsageFailure` before any work if nobody can answer."""
    if yes:
        return None
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageFailure("Nobody can be asked without a terminal", hint="say --yes, or --dry-run")
    return confirm


def _end_with(api: Any, job: str, json: JsonFields, *, watch: bool) -> None:
    if watch:
        with telling_that_it_goes_on(job):
            shown = watch_job(api, job)
    else:
        shown = api.get(job_path(job))
    if json is not None or not watch:
        show(JOBS, json, lambda: [shown])
    if watch and shown["state"] != "completed":
        raise CliFailure(f"Job {job} is {shown['state'].replace('_', ' ')}")
