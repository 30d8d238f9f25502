"""What every resource has: its path under /api/v1, its scopes, its documented problems."""

from http import HTTPStatus
from typing import Any

from flask import request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from web.auth import require_scope
from web.paths import PREFIX

SECURITY_SCHEME = "key"
_ALWAYS = (400, 401, 403, 404, 429, 503)
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def problem_responses(*statuses: int) -> dict[Any, Any]:
    """Documents replies with these statuses as problems."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status in statuses
    }


def create_blueprint(name: str, about: str, *, read: str = "read", write: str) -> APIBlueprint:
    """A blueprint whose reads need the scope `read`, and all else the scope `write`."""
    api = APIBlueprint(
        name,
        __name__,
        url_prefix=PREFIX,
        abp_tags=[Tag(name=name, description=about)],
        abp_security=[{SECURITY_SCHEME: []}],
        abp_responses=problem_responses(*_ALWAYS),
    )
    api.before_request(lambda: require_scope(read if request.method in _READS else write))
    return api
