"""`POST /mcp` as a client of no library sends it: messages, refusals, plans, other tenants."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from sqlalchemy import delete, func, update

from shared.domain.publishing.reconciliation import CANCELLED_LATE
from shared.models import AgentPlan, Event
from tests.factories.jobs import make_job, set_states
from tests.scenarios.agent_calls import BULK, VERSION, ask, bound_key, call, done, post, refusal
from tests.servers.api import Api
from web.mcp import endpoint, plans


def test_only_a_key_opens_it_and_only_by_post(api: Api) -> None:
    for key in (None, "pr_wrong"):
        reply = post(api, {"jsonrpc": "2.0", "id": 1, "method": "ping"}, key=key)
        assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
    for method in ("GET", "DELETE"):
        there: Any = api.app.test_client().open("/mcp", method=method)
        assert there.status_code == 405
        assert "POST" in there.headers["Allow"]


def test_only_our_own_pages_may_call_it(api: Api) -> None:
    """A name that was made to lead here (DNS rebinding) is in `Host` and in `Origin`."""
    rebound = {"Origin": "http://evil.example", "Host": "evil.example"}
    others = ("https://elsewhere.example", "null", "", "http://[", "http://localhost:99999999")
    for headers in (rebound, *({"Origin": origin} for origin in others)):
        foreign = ask(api, "ping", {}, **headers)
        assert (foreign.status_code, foreign.json["code"]) == (403, "foreign_origin"), headers
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000"):
        assert ask(api, "ping", {}, Origin=f"http://{host}", Host=host).status_code == 200
    public = "https://press.example"
    assert endpoint.is_our_origin(public, "inside:8000", f"{public}/")
    assert not endpoint.is_our_origin("http://press.example", "inside:8000", public)
    assert not endpoint.is_our_origin(public, "press.example", None)


def test_a_wrong_message_is_answered_with_the_next_step(api: Api) -> None:
    plain = {"jsonrpc": "2.0", "id": 3, "method": "ping"}
    cases: list[tuple[Any, int, int, Any]] = [
        (b"{", 400, -32700, None),
        (b"\xff", 400, -32700, None),
        ([plain], 400, -32600, None),
        ({**plain, "jsonrpc": "1.0"}, 400, -32600, 3),
        ({**plain, "params": []}, 400, -32600, 3),
        ({**plain, "id": {}}, 400, -32600, None),
        ({**plain, "method": "resources/list"}, 404, -32601, 3),
        ({**plain, "method": "tools/call", "params": {"name": "nothing"}}, 400, -32602, 3),
        ({**plain, "method": "tools/call", "params": {"name": []}}, 400, -32602, 3),
        (
            {**plain, "method": "tools/call", "params": {"name": "get_job", "arguments": 1}},
            400,
            -32602,
            3,
        ),
    ]
    for body, status, code, request_id in cases:
        reply = post(api, body)
        assert (reply.status_code, reply.json["error"]["code"]) == (status, code), body
        assert reply.json["id"] == request_id
        assert reply.json["error"]["data"]["next_step"]
    assert post(api, {"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    assert post(api, b"{" + b" " * endpoint.MAX_BYTES + b"}").status_code == 413


def test_what_the_headers_and_the_body_say_has_to_agree(api: Api) -> None:
    for name, value in (("Mcp-Method", "ping"), ("MCP-Protocol-Version", "2025-11-25")):
        reply = ask(api, "tools/list", {}, **{name: value})
        assert (reply.status_code, reply.json["error"]["code"]) == (400, -32020), name
    encoded = f"=?base64?{base64.b64encode(b'server_health').decode()}?="
    params = {"name": "server_health"}
    assert ask(api, "tools/call", params, **{"Mcp-Name": encoded}).status_code == 200
    for wrong in ("get_job", "=?base64?!?=", "=?base64?/w==?="):
        reply = ask(api, "tools/call", params, **{"Mcp-Name": wrong})
        assert reply.json["error"]["code"] == -32020, wrong

    plain = {"jsonrpc": "2.0", "id": 3, "method": "ping"}
    unknown = post(api, plain, **{"MCP-Protocol-Version": "2033-01-01"})
    error = unknown.json["error"]
    assert (unknown.status_code, error["code"]) == (400, -32022)
    assert VERSION in error["data"]["supported"]
    bare = post(api, plain, **{"MCP-Protocol-Version": VERSION})
    assert (bare.status_code, bare.json["error"]["code"]) == (400, -32602)


def test_clients_of_both_kinds_find_the_tools(api: Api) -> None:
    found = ask(api, "server/discover", {}).json["result"]
    assert found["resultType"] == "complete"
    assert VERSION in found["supportedVersions"]
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {}}
    first = {"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": params}
    made = post(api, first).json
    assert (made["id"], made["result"]["protocolVersion"]) == ("a", "2025-06-18")
    tools = post(api, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).json["result"]["tools"]
    reading = {tool["name"] for tool in tools if tool["annotations"]["readOnlyHint"]}
    assert reading == {"list_channels", "list_posts", "get_post", "get_job", "server_health"}
    assert len(tools) == 12
    for tool in tools:
        assert {"destructiveHint", "idempotentHint"} <= set(tool["annotations"])
        jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])


def test_a_plan_becomes_one_job_however_often_it_is_published(api: Api) -> None:
    key = bound_key(api)
    plan = done(api, "plan_posts", BULK, key=key)
    assert [each["content"] for each in plan["posts"]] == ["one", "two"]
    assert plan["total"] == 2
    assert api.posts() == []
    with ThreadPoolExecutor(4) as together:
        asked = [
            together.submit(done, api, "publish_posts", {"plan_id": plan["plan_id"]}, key=key)
            for _ in range(4)
        ]
        jobs = {each.result()["job"]["id"] for each in asked}
    expire_plans(api)
    jobs.add(done(api, "publish_posts", {"plan_id": plan["plan_id"]}, key=key)["job"]["id"])
    assert len(jobs) == 1
    assert len(api.posts()) == 2
    assert api.post(f"/jobs/{jobs.pop()}/cancel").status_code == 202
    now = done(api, "publish_posts", {"plan_id": plan["plan_id"]}, key=key)["job"]
    assert now["state"] == "cancelled", "the job as it is, not as it was accepted"
    operations = [entry["operation"] for entry in api.get("/audit").json["items"]]
    assert operations.count("bulk_publish") == 1


def expire_plans(api: Api) -> None:
    with api.services.database.transaction() as session:
        session.execute(update(AgentPlan).values(expires_at=func.now() - timedelta(seconds=1)))


def test_a_plan_ends_and_is_nobody_else_s(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "MOST", 1)
    key, twin = bound_key(api), bound_key(api)
    plan_id = {"plan_id": done(api, "plan_posts", BULK, key=key)["plan_id"]}
    assert "too_many_plans" in refusal(api, "plan_posts", BULK, key=key)
    assert "not_found" in refusal(api, "publish_posts", plan_id, key=twin)
    assert "not_found" in refusal(api, "publish_posts", plan_id)
    expire_plans(api)
    assert "plan_expired" in refusal(api, "publish_posts", plan_id, key=key)
    assert done(api, "plan_posts", BULK, key=key)
    assert api.posts() == []


def test_what_cannot_be_done_is_said_in_words(api: Api) -> None:
    reader = bound_key(api, "read")
    assert "'publish'" in refusal(api, "plan_posts", BULK, key=reader)
    assert "profile_missing" in refusal(api, "plan_posts", BULK)
    assert done(api, "plan_posts", {**BULK, "profile_id": "acme"})["profile_id"] == "acme"
    unknown = {**BULK, "integration_ids": ["int-nothing"], "profile_id": "acme"}
    assert "int-nothing" in refusal(api, "plan_posts", unknown)
    wrong = refusal(api, "plan_posts", {"items": [], "colour": "red"})
    assert "colour: unknown field" in wrong
    assert "post_id" in refusal(api, "get_post")
    assert "not_found" in refusal(api, "get_post", {"post_id": "../keys"})
    assert "no field is given" in refusal(api, "cancel_posts")


def test_an_unknown_outcome_is_one(api: Api) -> None:
    make_job(api, 2)
    set_states(api, "failed", error_code=CANCELLED_LATE, error_message="No answer")
    post_id = str(api.posts()[0].id)
    result = call(api, "get_post", {"post_id": post_id})
    assert not result["isError"]
    shown = result["structuredContent"]["post"]
    assert shown["outcome"] == "outcome_unknown"
    assert "Do not publish it again" in result["content"][0]["text"]
    left = done(api, "retry_posts", {"ids": [post_id]})
    assert (left["changed"], left["may_be_live"]) == (0, 1)
    job = done(api, "get_job", {"job_id": shown["job_id"]})
    assert job["failures"][0]["may_be_live"] == 1
    listed = done(api, "list_posts", {"job_id": shown["job_id"]})
    assert [each["outcome"] for each in listed["posts"]] == ["outcome_unknown", "pending"]


def test_posts_are_shown_whose_timeline_is_kept_no_longer(api: Api) -> None:
    """And a person's word on such a post, given after a look at it, counts until it changes."""
    job_id = make_job(api, 2)
    set_states(api, "failed", error_code=CANCELLED_LATE, error_message="No answer")
    with api.services.database.transaction() as session:
        session.execute(delete(Event))
    shown = done(api, "list_posts", {"job_id": job_id})["posts"][0]
    assert (shown["timeline"], shown["outcome"]) == ([], "outcome_unknown")
    seen = done(api, "get_post", {"post_id": shown["id"]})["post"]
    word = {"post_id": seen["id"], "as_of": seen["as_of"]}
    assert done(api, "retry_missing_post", word)["post"]["state"] == "pending"
    assert "changed_meanwhile" in refusal(api, "retry_missing_post", word)


def test_another_tenant_s_things_are_not_there(api: Api) -> None:
    assert api.post("/profiles", {"id": "beta", "name": "Beta"}).status_code == 201
    stranger = bound_key(api, profile="beta")
    job_id = make_job(api)
    post_id = str(api.posts()[0].id)
    before = api.get(f"/posts/{post_id}").json
    for name, arguments in {
        "get_post": {"post_id": post_id},
        "edit_post": {"post_id": post_id, "caption": "mine"},
        "get_job": {"job_id": job_id},
        "list_posts": {"job_id": job_id},
        "list_channels": {"profile_id": "acme"},
        "server_health": {"profile_id": "acme"},
        "plan_posts": {**BULK, "profile_id": "acme"},
        "upload_media": {"url": "https://a.example/a.png", "profile_id": "acme"},
    }.items():
        assert "not_found" in refusal(api, name, arguments, key=stranger), name
    for name in ("cancel_posts", "retry_posts"):
        assert done(api, name, {"ids": [post_id]}, key=stranger)["matched"] == 0
    assert done(api, "list_posts", key=stranger)["posts"] == []
    assert done(api, "server_health", key=stranger)["items"] == []
    assert api.get(f"/posts/{post_id}").json == before


def test_nothing_of_a_key_that_needs_approval_goes_out_without_it(api: Api) -> None:
    """Neither by a plan, nor by a schedule or an edit of what others have published."""
    body: dict[str, Any] = {"name": "a", "scopes": ["read", "publish"], "profile_ids": ["acme"]}
    for scope in ("approve", "settings", "admin"):
        asked = {**body, "scopes": ["publish", scope], "requires_approval": True}
        assert api.post("/keys", asked).status_code == 422
    made = api.post("/keys", {**body, "requires_approval": True}).json
    assert made["requires_approval"]
    key = made["key"]
    make_job(api)
    others = str(api.posts()[0].id)
    assert "approval_required" in refusal(
        api, "edit_post", {"post_id": others, "caption": "mine"}, key=key
    )
    for path, wanted in (
        ("/posts/edit", {"ids": [others], "caption": "mine"}),
        ("/schedules", {"name": "s", "cron": "* * * * *", "bulk": BULK}),
    ):
        refused = api.post(path, wanted, key=key)
        assert (refused.status_code, refused.json["code"]) == (403, "approval_required"), path
    set_states(api, "failed")
    job_of_others = f"/jobs/{api.posts()[0].job_id}"
    for path, status in ((f"/posts/{others}/retry", 403), (f"{job_of_others}/retry", 409)):
        refused = api.post(path, None, key=key)
        assert (refused.status_code, refused.json["code"]) == (status, "approval_required"), path
    many = done(api, "retry_posts", {"ids": [others]}, key=key)
    assert [many["changed"], many["refused"][0]["code"]] == [0, "approval_required"]
    set_states(api, "pending")
    assert api.post(f"{job_of_others}/pause", None, key=key).status_code == 202
    assert api.post(f"{job_of_others}/resume", None, key=key).status_code == 403
    plan = done(api, "plan_posts", BULK, key=key)
    assert plan["requires_approval"]
    job = done(api, "publish_posts", {"plan_id": plan["plan_id"]}, key=key)["job"]
    assert job["counts"] == {"waiting_approval": 2}
    own = str(api.posts()[1].id)
    assert done(api, "edit_post", {"post_id": own, "caption": "better"}, key=key)
    single = {"caption": "one", "integration_ids": ["int-mastodon"]}
    assert api.post("/postiz/publish", single, key=key).status_code == 202
    assert {post.state for post in api.posts()[1:]} == {"waiting_approval"}
