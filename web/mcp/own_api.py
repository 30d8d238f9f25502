"""Asks the API in this process, as the caller of the present request: a tool is one such request.

So scopes, whose things it sees, quotas, the audit trail and idempotency are those of the API.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import current_app, g, request

from web.auth import ADOPTED, PROFILE_HEADER, current_caller
from web.http_layer.idempotency import HEADER as IDEMPOTENCY
from web.http_layer.idempotency import REPLAYED, UNDER_WAY
from web.http_layer.request_logging import HEADER as REQUEST_ID
from web.paths import PREFIX
from web.request_parsing.shown_plan import SHOWN_PLAN, ShownPlan

#: How long a call waits for its twin with the same idempotency key (seconds), and between looks.
TWIN_SECONDS = 10.0
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request to the API. `profile_id`: in place of the one that our caller's header names.

    `shown`: the plan that it publishes.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    profile_id: str | None = None
    idempotency_key: str | None = None
    shown: ShownPlan | None = None


@dataclass(frozen=True, kw_only=True)
class Answered:
    """`body`: JSON; that of a refusal is a problem. `is_replay`: of an answer given before."""

    status: int
    body: Any
    is_replay: bool = False

    @property
    def is_refusal(self) -> bool:
        return self.status >= 400

    @property
    def is_under_way(self) -> bool:
        return self.status == 409 and self.body.get("code") == UNDER_WAY


def ask(asked: Asked) -> Answered:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    context = app.test_request_context(
        PREFIX + asked.path,
        method=asked.method,
        query_string={name: value for name, value in asked.query.items() if value is not None},
        json=asked.body,
        headers=_headers(asked),
        environ_base={"REMOTE_ADDR": request.remote_addr or ""},
        environ_overrides={ADOPTED: current_caller(), SHOWN_PLAN: asked.shown},
    )
    # a context of the application of its own: `g` must not be that of the request around it
    with app.app_context(), context:
        response = app.full_dispatch_request()
        return Answered(
            status=response.status_code,
            body=json.loads(response.get_data()),
            is_replay=REPLAYED in response.headers,
        )


def ask_once(asked: Asked) -> Answered:
    """The same, of a request with an idempotency key whose twin may be under way: waits for it."""
    answered = ask(asked)
    until = time.monotonic() + TWIN_SECONDS
    while answered.is_under_way and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        answered = ask(asked)
    return answered


def _headers(asked: Asked) -> dict[str, str]:
    profile_id = asked.profile_id or request.headers.get(PROFILE_HEADER)
    named = {
        PROFILE_HEADER: profile_id,
        IDEMPOTENCY: asked.idempotency_key,
        REQUEST_ID: g.request_id,
        "User-Agent": request.user_agent.string,
    }
    return {name: value for name, value in named.items() if value}
