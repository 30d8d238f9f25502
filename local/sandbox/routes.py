"""The Public API's routes, named as faults and the ledger name them: `PUT /posts/:id/status`."""

import re
from dataclasses import dataclass

LABELS = (
    "GET /is-connected",
    "GET /integrations",
    "GET /groups",
    "POST /upload",
    "POST /upload-from-url",
    "POST /posts",
    "GET /posts",
    "PUT /posts/:id/status",
    "PUT /posts/:id/settings",
    "PUT /posts/:id/release-id",
    "GET /posts/:id/missing",
    "DELETE /posts/group/:group",
    "DELETE /posts/:id",
    "GET /find-slot/:integration",
    "GET /integration-settings/:id",
    "POST /integration-trigger/:id",
    "GET /notifications",
)


@dataclass(frozen=True)
class Match:
    label: str
    params: dict[str, str]


def _pattern(label: str) -> re.Pattern[str]:
    return re.compile("^" + re.sub(r":(\w+)", r"(?P<\1>[^/]+)", label) + "/?$")


_PATTERNS = tuple((label, _pattern(label)) for label in LABELS)


def match(method: str, path: str) -> Match | None:
    """The route of a path below the API's prefix, or None where Postiz answers 404."""
    for label, pattern in _PATTERNS:
        found = pattern.match(f"{method} {path}")
        if found:
            return Match(label, found.groupdict())
    return None
