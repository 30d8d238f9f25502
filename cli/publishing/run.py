"""`pressroom publish`: finds clips, uploads them, shows the plan, asks, and publishes it once."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from cli.failures import CliFailure
from cli.http.answers import ApiFailure
from cli.http.api import Api
from cli.output import note
from cli.places import why_forgotten
from cli.publishing.memory import FolderMemory, Pending, remembering
from cli.publishing.order import (
    Timing,
    build_body,
    has_other_times,
    require_faultless,
    show_plan,
)
from cli.publishing.rows import PostRow
from cli.uploads.clip import Clip
from cli.uploads.delivery import deliver_clips, read_clips

_PATH = "/postiz/bulk-publish"
#: Pressroom's refusals of a request that it has not done before. What else is answered, by a proxy
#: or because a key may no longer do it, says nothing of a try before.
_REFUSED = frozenset({400, 409, 413, 415, 422})
_DONE_BEFORE = frozenset({"key_reused", "secret_unreadable"})
#: Of a request whose times are others by now: nothing was published.
_OUTDATED = "plan_outdated"
_MOST_PLANS = 10


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the options say.

    `ask`: the user, who says yes or no; None if they have said yes to all that was planned.
    `again`: also what was published before. `more`: other fields of bulk-publish.
    """

    source: Path
    timing: Timing
    ask: Callable[[str], bool] | None
    again: bool
    dry_run: bool
    more: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def _telling_how_to_go_on() -> Iterator[None]:
    """Whoever stops before it is accepted, or does not know whether it was."""
    try:
        yield
    except KeyboardInterrupt:
        note("Stopped. The same command goes on from here, and publishes nothing twice")
        raise


@_telling_how_to_go_on()
def publish_rows(api: Api, rows: Sequence[PostRow], wishes: Wishes) -> str | None:
    """The id of the job; None if nothing is to be published. Raises `CliFailure`."""
    profile = api.require_profile()
    require_known_channels(api, rows)
    with remembering(api.server, profile, wishes.source, url=api.url) as memory:
        paths = list(dict.fromkeys(path for row in rows for path in row.files))
        clips = dict(zip(paths, read_clips(api, paths), strict=True))
        asked = _fingerprint(rows, clips, wishes)
        _settle_pending(api, memory, asked, wishes)
        fresh = _leave_out_published(memory, rows, clips, wishes)
        if not fresh:
            return memory.last_job([*_keys(rows, clips, wishes), *(row.key(clips) for row in rows)])
        keys, body = _keys(fresh, clips, wishes), _prepare(api, fresh, clips, wishes)
        for _ in range(_MOST_PLANS):
            plan = _plan_and_ask(api, body, fresh, wishes)
            if plan is None:
                return None
            pending = _new_request(api, keys, asked, body, plan)
            memory.begin(pending)
            if (job := _send(api, memory, pending)) is not None:
                return job
        raise CliFailure("The times of each plan were over, or taken, before it was published")


def _new_request(
    api: Api, keys: list[str], asked: str, body: dict[str, Any], plan: Mapping[str, Any]
) -> Pending:
    return Pending(
        key=uuid4().hex,
        rows=keys,
        asked=asked,
        body=body,
        began_at=datetime.now(UTC).isoformat(),
        by_key=api.key_mark,
        times_tag=plan["times_tag"],
    )


def _keys(rows: Sequence[PostRow], clips: Mapping[Path, Clip], wishes: Wishes) -> list[str]:
    """Of their posts: another channel for a clip is no reason to publish on the first again. Who
    looks at drafts first has published nothing."""
    kind = "draft:" if wishes.more.get("save_as_draft") else ""
    return [f"{kind}{post.key(clips)}" for row in rows for post in row.posts()]


def require_known_channels(api: Api, rows: Sequence[PostRow]) -> None:
    """Before hours of uploads are for nothing. Raises `CliFailure`."""
    known = {channel["id"]: channel["name"] for channel in api.get("/postiz/integrations")}
    unknown = sorted({channel for row in rows for channel in row.channels} - set(known))
    if unknown:
        listed = ", ".join(f"{each} ({name})" for each, name in list(known.items())[:20])
        raise CliFailure(f"There is no channel {unknown[0]!r}", hint=f"channels: {listed}")


def _fingerprint(rows: Sequence[PostRow], clips: Mapping[Path, Clip], wishes: Wishes) -> str:
    """The same for the same command on the same clips and captions."""
    wanted = [
        [
            row.key(clips),
            row.caption,
            row.publish_at,
            dict(row.captions_per_platform),
            row.first_comment,
        ]
        for row in rows
    ]
    content = json.dumps([wanted, wishes.timing.as_fields(), dict(wishes.more)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _settle_pending(api: Api, memory: FolderMemory, asked: str, wishes: Wishes) -> None:
    """Ends what a run before left open: the server answers the same request once more, or does it;
    if its times are over by now, it is open no more, and is planned like all that is new.

    Raises `CliFailure` where it is not certain that the user still wants it.
    """
    pending = memory.pending
    if pending is None or wishes.dry_run:
        return
    if wishes.again:
        memory.forget_pending()
        return
    why = why_forgotten(pending.began_at, pending.by_key, api.key_mark)
    if why is not None:
        raise CliFailure(
            f"A run at {pending.began_at} was interrupted while it published {len(pending.rows)} "
            f"posts, {why}",
            hint="look at pressroom jobs ls; to publish them (once more): --again",
        )
    what = f"{len(pending.rows)} posts that an interrupted run was publishing"
    is_wanted = pending.asked == asked or (
        wishes.ask is not None and wishes.ask(f"Finish first {what}, as they were then?")
    )
    if not is_wanted:
        raise CliFailure(
            f"There are {what}, with other clips, captions or options than now",
            hint="run it as then; or, if pressroom jobs ls does not show them: --again",
        )
    note(f"Finishing {what}")
    _send(api, memory, pending)


def _leave_out_published(
    memory: FolderMemory, rows: Sequence[PostRow], clips: Mapping[Path, Clip], wishes: Wishes
) -> list[PostRow]:
    if wishes.again:
        return list(rows)
    left = [_left_of(memory, row, clips, wishes) for row in rows]
    fresh = [row for row in left if row.channels]
    total = len(_keys(rows, clips, wishes))
    if left_out := total - len(_keys(fresh, clips, wishes)):
        note(f"{left_out} of {total} were published by an earlier run (again: --again)")
    return fresh


def _left_of(
    memory: FolderMemory, row: PostRow, clips: Mapping[Path, Clip], wishes: Wishes
) -> PostRow:
    """On the channels where it was not published before."""
    if row.key(clips) in memory.published:
        return row.on([])
    posts = zip(row.posts(), _keys([row], clips, wishes), strict=True)
    fresh = [post for post, key in posts if key not in memory.published]
    return row.on([channel for post in fresh for channel in post.channels])


def _prepare(
    api: Api, rows: Sequence[PostRow], clips: Mapping[Path, Clip], wishes: Wishes
) -> dict[str, Any]:
    """Uploads. The request that publishes them. Raises `CliFailure`."""
    used = {path: clips[path] for row in rows for path in row.files}
    delivered = deliver_clips(api, used.values())
    refused = [each for each in delivered.values() if each.media_id is None]
    if refused:
        lines = "\n".join(f"  {each.clip.path}: {each.reason}" for each in refused)
        raise CliFailure(f"Nothing is published, because the server refused:\n{lines}")
    media = {path: delivered[clip.sha256].media_id or "" for path, clip in used.items()}
    return build_body(rows, media, wishes.timing, wishes.more)


def _plan_and_ask(
    api: Api, body: dict[str, Any], rows: Sequence[PostRow], wishes: Wishes
) -> dict[str, Any] | None:
    def make_plan() -> dict[str, Any]:
        dry = {"dry_run": "true"}
        plan: dict[str, Any] = api.call("POST", _PATH, body=body, params=dry)["plan"]
        require_faultless(plan, rows)
        return plan

    return agree_on(make_plan, rows, wishes)


def agree_on(
    make_plan: Callable[[], dict[str, Any]], rows: Sequence[PostRow], wishes: Wishes
) -> dict[str, Any] | None:
    """Shows the plan and asks; again if its times are others by the time of the answer. None if it
    stops at that."""
    made_at, plan = time.monotonic(), make_plan()
    while True:
        show_plan(plan, rows, wishes.timing.zone)
        if wishes.dry_run or wishes.ask is None:
            return None if wishes.dry_run else plan
        if not wishes.ask(f"Publish {_count_posts(plan['posts'])}?"):
            note("Nothing is published")
            return None
        shown, shown_at = plan, made_at
        made_at, plan = time.monotonic(), make_plan()
        if not has_other_times(shown, plan, later_by=made_at - shown_at):
            return plan
        note("Meanwhile times of this plan are over, or taken. The plan is now:")


def _count_posts(number: int) -> str:
    return f"{number:,} post{'' if number == 1 else 's'}"


def _send(api: Api, memory: FolderMemory, pending: Pending) -> str | None:
    """The job. However often it is sent with this key, the server publishes it once.

    None if it was not published before, and its times are others than were agreed to.
    """
    tag = {"times_tag": pending.times_tag} if pending.times_tag else None
    try:
        reply = api.call("POST", _PATH, body=pending.body, params=tag, key=pending.key)
    except ApiFailure as failure:
        if _is_certain(failure):
            memory.forget_pending()
        if failure.code != _OUTDATED:
            raise
        note("Nothing was published yet: its times are over by now, or taken")
        return None
    job = str(reply["job"]["id"])
    memory.note_published(job)
    note(f"Accepted as job {job}")
    return job


def _is_certain(failure: ApiFailure) -> bool:
    """Whether nothing was written, by this request or an earlier one with its key."""
    is_ours = bool(failure.code) and failure.code not in _DONE_BEFORE
    return is_ours and failure.status in _REFUSED and failure.retry_after is None
