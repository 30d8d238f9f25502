"""A job's events as they happen: server-sent, resumable, and over when the job is."""

import json
import time
from collections.abc import Iterator
from typing import Any

from flask import Response, request
from pydantic import BaseModel

from shared.errors import FieldError, InvalidRequest
from shared.jobs import event_feed, progress
from shared.jobs.event_feed import Entry, Place
from shared.models import Job
from web.api.jobs import visible_job
from web.api.resource import resource
from web.schemas.common import IdPath
from web.serializers.rows import job_view
from web.services import Services, services

#: Seconds between looks, between signs of life, and until a client is asked to come again.
LOOK = 0.5
HEARTBEAT = 15.0
LONGEST = 3600.0
RESUME = "Last-Event-ID"
#: Proxies are asked to hand each event on at once.
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
_STREAM: dict[Any, Any] = {
    200: {
        "description": "`post` for each change, then `done`; with comments in between",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}

api = resource("events", "What happens to a job's posts", write="publish")


@api.get("/jobs/<id>/events", responses=_STREAM)
def stream_events(path: IdPath) -> Response:
    """Follow a job: `post` for each change, `done` at the end; go on with `Last-Event-ID`"""
    ours = services()
    with ours.database.transaction() as session:
        job = visible_job(session, path.id)
        last = request.headers.get(RESUME, "")
        behind = event_feed.place_of(session, job.id, last) if last else Place()
    if behind is None:
        fault = FieldError(field=RESUME, message="is not one that we gave")
        raise InvalidRequest(f"{RESUME} is not one that we gave", fields=[fault])
    give_back = ours.streams.take()
    events = _events(ours, job.id, behind)
    response = Response(events, headers=HEADERS, content_type="text/event-stream")
    response.call_on_close(give_back)
    return response


def _events(ours: Services, job_id: int, behind: Place) -> Iterator[str]:
    yield "retry: 2000\n\n"
    ends = time.monotonic() + LONGEST
    spoke = time.monotonic()
    while ours.streams.going_on() and time.monotonic() < ends:
        part = _read(ours, job_id, behind)
        for entry in part.entries:
            yield _post(entry)
            behind, spoke = entry.place, time.monotonic()
        if part.entries:
            continue
        if part.all_there_is and (shown := _over(ours, job_id)):
            if _read(ours, job_id, behind) == part:  # nothing came in between
                yield f"event: done\ndata: {shown.model_dump_json()}\n\n"
                return
            continue
        if time.monotonic() - spoke > HEARTBEAT:
            yield ": still here\n\n"
            spoke = time.monotonic()
        time.sleep(LOOK)


def _read(ours: Services, job_id: int, behind: Place) -> event_feed.Part:
    with ours.database.transaction() as session:
        return event_feed.read(session, job_id, behind)


def _over(ours: Services, job_id: int) -> BaseModel | None:
    """The job, once it has nothing more to wait for."""
    with ours.database.transaction() as session:
        found = progress.outcome(session, session.get_one(Job, job_id))
    return job_view(found) if found.finished_at is not None else None


def _post(entry: Entry) -> str:
    data = {
        "post_id": str(entry.post_id),
        "at": entry.at.isoformat().replace("+00:00", "Z"),
        "event": entry.event,
        "detail": entry.detail,
        "state": entry.state,
    }
    return f"id: {entry.place}\nevent: post\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
