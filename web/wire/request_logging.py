"""What each log line of a request carries: its number, and the ids of what it is about."""

import re
import uuid

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from shared.log import get_logger
from web.auth import PROFILE_HEADER

HEADER = "X-Request-Id"
#: Also of a caller who wants to find its own requests in our log.
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_JOB = re.compile(r"/jobs/(\d+)$")
#: The part of a rule that says what its id is of; `…/publish/<id>/progress` is about a job.
_ABOUT = re.compile(r"/(profile|job|post|account|publish|key)s?/<")

log = get_logger("web")


def install(app: Flask) -> None:
    app.before_request(_bind_request)
    app.after_request(_log_response)


def _bind_request() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
    clear_contextvars()
    bind_contextvars(request=g.request_id)
    bind_contextvars(**_request_ids())


def _request_ids() -> dict[str, str]:
    """What the path and the headers name, where it looks like an id."""
    match = _ABOUT.search(request.url_rule.rule) if request.url_rule else None
    ids = {"profile": request.headers.get(PROFILE_HEADER, "")}
    if match is not None:
        kind = "job" if match[1] == "publish" else match[1]
        ids[kind] = str((request.view_args or {}).get("id", ""))
    return {name: value for name, value in ids.items() if _ID.fullmatch(value)}


def _log_response(response: Response) -> Response:
    """Number the answer; a line for what changed something, or was refused."""
    response.headers[HEADER] = g.get("request_id", "")
    if job := _JOB.search(response.headers.get("Location", "")):
        bind_contextvars(job=job[1])
    if request.method not in {"GET", "HEAD", "OPTIONS"} or response.status_code >= 400:
        # the rule, not the path: what a caller writes there may be anything
        rule = request.url_rule.rule if request.url_rule else None
        log.info("answered", method=request.method, route=rule, status=response.status_code)
    return response
