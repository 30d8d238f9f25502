"""`pressroom posts`: what is, was or will be published."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.commands.jobs import job_path
from cli.failures import CliFailure, UsageFailure
from cli.groups import new_group
from cli.http.answers import ApiFailure
from cli.http.api import Api
from cli.options import MOST, JsonFields, Limit, ProfileId, connect
from cli.output import Listing, Row, format_time, note, print_failure, shorten, show
from cli.publishing.captions import read_caption_file
from cli.words import Word, give_word

POSTS = Listing(
    fields=(
        "id",
        "job_id",
        "profile_id",
        "integration",
        "content",
        "media_ids",
        "thread",
        "publish_at",
        "state",
        "revision",
        "requires_approval",
        "approved_revision",
        "attempts",
        "error",
        "postiz_post_id",
        "release_url",
        "external_id",
        "timeline",
    ),
    columns={
        "ID": lambda row: row["id"],
        "JOB": lambda row: row["job_id"],
        "CHANNEL": lambda row: row["integration"]["id"],
        "DUE": lambda row: format_time(row["publish_at"]),
        "STATE": lambda row: row["state"],
        "CAPTION": lambda row: shorten(row["content"], 40),
        "ERROR": lambda row: (row["error"] or {}).get("code"),
    },
)
PostId = Annotated[str, typer.Argument(metavar="POST", help="The id of a post")]
PostIds = Annotated[list[str], typer.Argument(metavar="POST…", help="Ids of posts")]
Confirmed = Annotated[
    bool,
    typer.Option("--confirm-not-published", help="Your word that it is not on the network"),
]


def list_posts(
    *,
    job: Annotated[str | None, typer.Option(metavar="JOB", help="Of this job")] = None,
    state: Annotated[str | None, typer.Option(metavar="STATE", help="As published, failed")] = None,
    channel: Annotated[str | None, typer.Option(metavar="ID", help="Of this channel")] = None,
    due_from: Annotated[str | None, typer.Option("--from", metavar="TIME")] = None,
    due_to: Annotated[str | None, typer.Option("--to", metavar="TIME")] = None,
    limit: Limit = MOST,
    json: JsonFields = None,
    profile: ProfileId = None,
) -> None:
    """List posts, in the order in which they were accepted."""
    if job and (channel or due_from or due_to):
        raise UsageFailure("With --job, only --state says which posts")
    api = connect(profile)
    path = f"{job_path(job)}/posts" if job else "/posts"
    asked: dict[str, Any] = {"state": state}
    if not job:
        asked |= {"integration_id": channel, "from": due_from, "to": due_to}
    show(POSTS, json, lambda: api.items(path, limit, asked), limit=limit)


posts = new_group("What is, was or will be published", list_posts)


@posts.command("show")
def show_post(post: PostId, json: JsonFields = None, profile: ProfileId = None) -> None:
    """Show a post, with all that happened to it."""
    api = connect(profile)
    [read] = show(POSTS, json, lambda: [api.get(_path(post))])
    if json is None:
        _tell_story(read)


def _tell_story(post: Row) -> None:
    for entry in post["timeline"]:
        note(f"  {format_time(entry['at'])}  {entry['event']}  {entry['detail'] or ''}".rstrip())
    if error := post["error"]:
        note(f"  {error['code']}: {error['message']}")
        note(f"  → {error['hint']}" if error["hint"] else "")


@posts.command("edit")
def edit(
    post: PostId,
    *,
    caption: Annotated[str | None, typer.Option(metavar="TEXT")] = None,
    caption_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A text file with the caption")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it is due, as 2031-08-01T18:30")
    ] = None,
    tz: Annotated[str, typer.Option(metavar="ZONE", help="Of --at, as Europe/Berlin")] = "UTC",
    media: Annotated[
        str | None, typer.Option(metavar="IDS", help="Its media in place of the old, as 1,2")
    ] = None,
    revision: Annotated[
        int | None, typer.Option(metavar="N", help="Only if this is still its revision")
    ] = None,
    json: JsonFields = None,
    profile: ProfileId = None,
) -> None:
    """Change a post, until its release is under way."""
    if caption is not None and caption_file is not None:
        raise UsageFailure("Give either --caption or --caption-file")
    text = read_caption_file(caption_file) if caption_file else caption
    media_ids = media.split(",") if media else None
    given = {"caption": text, "media_ids": media_ids, "publish_at": at, "revision": revision}
    body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if not body.keys() - {"revision"}:
        raise UsageFailure("Nothing is to change", hint="--caption, --caption-file, --at, --media")
    if at is not None:
        body["timezone"] = tz
    api = connect(profile)
    show(POSTS, json, lambda: [api.call("PATCH", _path(post), body=body)])


@posts.command("cancel")
def cancel(ids: PostIds, json: JsonFields = None, profile: ProfileId = None) -> None:
    """Take posts back."""
    _change_each(ids, lambda api, post: api.post(f"{_path(post)}/cancel"), json, profile)


@posts.command("retry")
def retry(
    ids: PostIds,
    confirm_not_published: Confirmed = False,
    json: JsonFields = None,
    profile: ProfileId = None,
) -> None:
    """Try failed posts again.

    What may be on the network is tried again only on your word: --confirm-not-published. If its
    answer is lost, the same command does not give it again, but says what has happened since.
    """
    change = _retry_on_word if confirm_not_published else _retry
    _change_each(ids, change, json, profile)


def _retry(api: Api, post: str) -> Row:
    retried: Row = api.post(f"{_path(post)}/retry")
    return retried


def _retry_on_word(api: Api, post: str) -> Row:
    """The word is about what there was when it was given."""
    timeline = api.get(_path(post))["timeline"]

    def send(word: Word) -> Row:
        seen = {} if word.as_of is None else {"as_of": word.as_of}
        retried: Row = api.post(f"{_path(post)}/retry", {"confirm_not_published": True, **seen})
        return retried

    return give_word(api, f"post {post}", timeline[-1]["at"] if timeline else None, send)


def _change_each(
    ids: Sequence[str], change_one: Callable[[Api, str], Row], json: JsonFields, profile: ProfileId
) -> None:
    """Whatever becomes of the others; those that were changed are shown."""
    api, failed = connect(profile), []

    def change() -> Iterator[Row]:
        for post in ids:
            try:
                yield change_one(api, post)
            except CliFailure as failure:
                print_failure(failure)
                failed.append(failure)
                if not isinstance(failure, ApiFailure):
                    return

    show(POSTS, json, change)
    if failed:
        raise typer.Exit(failed[-1].exit_code)


def _path(post: str) -> str:
    return f"/posts/{quote(post, safe='')}"
