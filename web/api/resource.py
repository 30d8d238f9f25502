"""What every resource has: its path under /api/v1, its scopes, its documented problems."""

from typing import Any

from flask import request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from shared.errors import Forbidden
from web import session_cookie
from web.auth import USER, current_caller, require_scope, require_session
from web.http_layer.problems import status_phrase
from web.paths import PREFIX

_KEY, _SESSION = "key", "session"
SECURITY_SCHEMES: dict[str, Any] = {
    _KEY: {"type": "http", "scheme": "bearer"},
    _SESSION: {"type": "apiKey", "in": "cookie", "name": session_cookie.NAME},
}
_ALWAYS = (400, 401, 403, 404, 429, 503)
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def problem_responses(*statuses: int) -> dict[Any, Any]:
    """Documents replies with these statuses as problems."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": status_phrase(status),
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status in statuses
    }


def create_blueprint(
    name: str, about: str, *, read: str = "read", write: str, person: str | None = None
) -> APIBlueprint:
    """A blueprint whose reads need the scope `read`, and all else the scope `write`.

    `person`: in place of `write` for people, where they act for themselves.
    """
    api = _new_blueprint(name, about, [_KEY, _SESSION])
    api.before_request(lambda: require_scope(_needed_scope(read, write, person or write)))
    return api


def _needed_scope(read: str, write: str, person: str) -> str:
    if request.method in _READS:
        return read
    return person if current_caller().kind == USER else write


def may_pass_approval() -> bool:
    """Whether this caller may let go out what nobody has to approve."""
    return not current_caller().requires_approval


def refuse_past_approval() -> None:
    """Nothing goes out by a key whose posts wait for approval, but what a person approves."""
    if request.method not in _READS and not may_pass_approval():
        raise Forbidden(
            "The posts of this key wait for a person's approval: it may publish, and edit what "
            "needs approval, post by post",
            code="approval_required",
        )


def create_personal_blueprint(name: str, about: str) -> APIBlueprint:
    """A blueprint for who has signed in, whatever they may do, and for no request with a key."""
    api = _new_blueprint(name, about, [_SESSION])
    api.before_request(_require_signed_in)
    return api


def _require_signed_in() -> None:
    require_session()


def _new_blueprint(name: str, about: str, schemes: list[str]) -> APIBlueprint:
    return APIBlueprint(
        name,
        __name__,
        url_prefix=PREFIX,
        abp_tags=[Tag(name=name, description=about)],
        abp_security=[{scheme: []} for scheme in schemes],
        abp_responses=problem_responses(*_ALWAYS),
    )
