"""A job's events as they happen: server-sent and resumable; the stream ends when the job does."""

import json
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy
from flask import Response, request
from pydantic import BaseModel
from sqlalchemy.orm import Session

from shared.errors import FieldError, InvalidRequest
from shared.jobs import event_feed, progress
from shared.jobs.event_feed import Entry, Place
from shared.models import Job
from web.api.jobs import require_visible_job
from web.api.resource import create_blueprint
from web.auth import Caller, current_caller, is_in_force
from web.schemas.common import IdPath
from web.serializers.rows import job_view
from web.services import Services, current_services

#: Seconds between reads, between heartbeats, and until the client has to reconnect.
LOOK = 0.5
HEARTBEAT = 15.0
LONGEST = 3600.0
RESUME = "Last-Event-ID"
#: Tells proxies to pass on each event at once.
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
_STREAM: dict[Any, Any] = {
    200: {
        "description": "`post` for each change, then `done`; with comments in between",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}

api = create_blueprint("events", "What happens to a job's posts", write="publish")


@api.get("/jobs/<id>/events", responses=_STREAM)
def stream_events(path: IdPath) -> Response:
    """Follow a job: `post` for each change, `done` at the end; go on with `Last-Event-ID`"""
    ours = current_services()
    with ours.database.transaction() as session:
        job = require_visible_job(session, path.id)
        last_event_id = request.headers.get(RESUME, "")
        behind = event_feed.place_of(session, job.id, last_event_id) if last_event_id else Place()
    if behind is None:
        fault = FieldError(field=RESUME, message="is not an id of this stream")
        raise InvalidRequest(f"{RESUME} is not an id of this stream", fields=[fault])
    give_back = ours.streams.take(current_caller().holder)
    client = request.environ.get("gunicorn.socket")
    events = _event_stream(ours, job.id, behind, current_caller(), client)
    response = Response(events, headers=HEADERS, content_type="text/event-stream")
    response.call_on_close(give_back)
    return response


def _event_stream(
    ours: Services, job_id: int, behind: Place, caller: Caller, client: socket.socket | None
) -> Iterator[str]:
    """Ends early once the client has left, or may no longer see the job.

    Who is cut off often would otherwise have all of its streams in use until their next heartbeat.
    """
    yield "retry: 2000\n\n"
    ends_at = time.monotonic() + LONGEST
    last_sent_at = time.monotonic()
    while ours.streams.going_on() and time.monotonic() < ends_at:
        if _has_left(client) or not _may_go_on(ours, caller, job_id):
            return
        part = _read_entries(ours, job_id, behind)
        for entry in part.entries:
            yield _format_post_event(entry)
            behind, last_sent_at = entry.place, time.monotonic()
        if part.entries:
            continue
        if part.all_there_is and (job_shown := _finished_job_view(ours, caller, job_id)):
            if _read_entries(ours, job_id, behind) == part:  # nothing happened in between
                yield f"event: done\ndata: {job_shown.model_dump_json()}\n\n"
                return
            continue
        if time.monotonic() - last_sent_at > HEARTBEAT:
            yield ": still here\n\n"
            last_sent_at = time.monotonic()
        time.sleep(LOOK)


def _has_left(client: socket.socket | None) -> bool:
    """Whether it has closed the connection, on which it sends nothing while it listens."""
    if client is None:
        return False
    poll = select.poll()
    poll.register(client, select.POLLIN)
    try:
        return bool(poll.poll(0)) and client.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def _may_go_on(ours: Services, caller: Caller, job_id: int) -> bool:
    with ours.database.transaction() as session:
        in_force = is_in_force(session, caller)
        return in_force and _find_job(session, caller, job_id) is not None


def _find_job(session: Session, caller: Caller, job_id: int) -> Job | None:
    own = sqlalchemy.select(Job).where(Job.id == job_id, caller.visible.condition(Job))
    return session.scalar(own)


def _read_entries(ours: Services, job_id: int, behind: Place) -> event_feed.Part:
    with ours.database.transaction() as session:
        return event_feed.read_events(session, job_id, behind)


def _finished_job_view(ours: Services, caller: Caller, job_id: int) -> BaseModel | None:
    """The job if it has nothing more to wait for, else None."""
    with ours.database.transaction() as session:
        job = _find_job(session, caller, job_id)
        outcome = progress.read_outcome(session, job) if job else None
    return job_view(outcome) if outcome and outcome.finished_at is not None else None


def _format_post_event(entry: Entry) -> str:
    data = {
        "post_id": str(entry.post_id),
        "at": entry.at.isoformat().replace("+00:00", "Z"),
        "event": entry.event,
        "detail": entry.detail,
        "state": entry.state,
    }
    return f"id: {entry.place}\nevent: post\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
