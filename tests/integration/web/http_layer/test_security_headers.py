"""Attack 10: every answer tells browsers to run, load, frame and keep nothing."""

import pytest

from tests.servers.api import ADMIN_KEY, Api
from web.http_layer.security_headers import DATA_POLICY, DOCS_POLICY, PAGE_POLICY

POLICIES = {
    "/api/v1/profiles": DATA_POLICY,
    "/api/v1/nothing": DATA_POLICY,
    "/api/v1/users/x": DATA_POLICY,
    "/nothing": DATA_POLICY,
    "/health/live": DATA_POLICY,
    "/openapi.json": DATA_POLICY,
    "/docs.js": DATA_POLICY,
    "/docs.css": DATA_POLICY,
    "/sign-in": PAGE_POLICY,
    "/sign-in/link/none": PAGE_POLICY,
    "/approve/none": PAGE_POLICY,
    "/approve/none/media/1": PAGE_POLICY,
    "/approve.css": DATA_POLICY,
    "/calendar.ics": DATA_POLICY,
    "/docs/": PAGE_POLICY,
    "/docs/CLI.md": DATA_POLICY,
    "/docs/nothing": PAGE_POLICY,
    "/llms.txt": DATA_POLICY,
    "/docs/api": DOCS_POLICY,
}


@pytest.mark.parametrize(("path", "policy"), POLICIES.items(), ids=POLICIES)
@pytest.mark.parametrize("method", ["GET", "POST", "TRACE"])
def test_every_answer_has_them(bare_api: Api, method: str, path: str, policy: str) -> None:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    reply = bare_api.app.test_client().open(path, method=method, headers=headers)
    page = policy if reply.mimetype == "text/html" else DATA_POLICY
    expected = {
        "Content-Security-Policy": page,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
    }
    assert {name: reply.headers.get(name) for name in expected} == expected
    if method == "GET":
        assert page == policy


def test_no_page_allows_what_stands_in_itself() -> None:
    for policy in (DATA_POLICY, PAGE_POLICY, DOCS_POLICY):
        assert "frame-ancestors 'none'" in policy
        scripts = [part for part in policy.split("; ") if part.startswith("script-src")]
        assert scripts in ([], ["script-src 'self'"])
