"""What each log line of a request has: the request's id, and the ids of what it is about."""

import re
import uuid

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from shared.log import get_logger
from web.auth import PROFILE_HEADER

HEADER = "X-Request-Id"
#: A caller may send its own, to find its requests in our log.
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_JOB = re.compile(r"/jobs/(\d+)$")
#: Matches the part of a rule that says what its id is; `…/publish/<id>/progress` is about a job.
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
    """The ids in the path and the headers, if they look like ids.

    That of a key is `key_id`: a value with the name `key` is a secret.
    """
    match = _ABOUT.search(request.url_rule.rule) if request.url_rule else None
    ids = {"profile": request.headers.get(PROFILE_HEADER, "")}
    if match is not None:
        kind = {"publish": "job", "key": "key_id"}.get(match[1], match[1])
        ids[kind] = str((request.view_args or {}).get("id", ""))
    return {name: value for name, value in ids.items() if _ID.fullmatch(value)}


def _log_response(response: Response) -> Response:
    """Add the request's id to the answer; log requests that change something or were refused."""
    response.headers[HEADER] = g.get("request_id", "")
    if job := _JOB.search(response.headers.get("Location", "")):
        bind_contextvars(job=job[1])
    if request.method not in {"GET", "HEAD", "OPTIONS"} or response.status_code >= 400:
        # the rule, not the path: a path may contain anything
        rule = request.url_rule.rule if request.url_rule else None
        log.info("answered", method=request.method, route=rule, status=response.status_code)
    return response
