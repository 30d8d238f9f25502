"""A model may send anything: each field of each tool gets what it does not expect."""

from typing import Any

from tests.scenarios.agent_calls import BULK, ask, bound_key
from tests.servers.api import Api

HOSTILE: list[Any] = [
    "",
    "\r\nX-Profile-Id: beta",
    "\u202e٣/../keys",
    10**20,
    [[]],
    {"a": {}},
    True,
]
#: What a tool needs; every other field is added to this.
NEEDED: dict[str, dict[str, Any]] = {
    "upload_media": {"url": "https://127.0.0.1/a.png"},
    "plan_posts": BULK,
    "publish_posts": {"plan_id": "plan_of_nobody"},
    "get_post": {"post_id": "1"},
    "edit_post": {"post_id": "1"},
    "cancel_posts": {"ids": ["1"]},
    "retry_posts": {"ids": ["1"]},
    "retry_missing_post": {"post_id": "1", "as_of": "2031-01-01T00:00:00Z"},
    "get_job": {"job_id": "1"},
}


def test_no_value_of_any_field_of_any_tool_is_more_than_a_refusal(api: Api) -> None:
    key = bound_key(api)
    tools = ask(api, "tools/list", {}).json["result"]["tools"]
    wrong = []
    for tool in tools:
        for field in tool["inputSchema"]["properties"]:
            for value in HOSTILE:
                given = {**NEEDED.get(tool["name"], {}), field: value}
                params = {"name": tool["name"], "arguments": given}
                answer = ask(api, "tools/call", params, key=key)
                if answer.status_code != 200 or not answer.json["result"]["content"][0]["text"]:
                    wrong.append((tool["name"], field, value, answer.status_code))
    assert wrong == []
    assert api.posts() == []


def test_an_id_is_no_path_to_something_else(api: Api) -> None:
    made = api.post("/postiz/bulk-publish", BULK, profile="acme").json["job"]["id"]
    for name, field in (("get_job", "job_id"), ("get_post", "post_id"), ("list_posts", "job_id")):
        for wrong in (f"{made}/posts", f"{made}/failures", f"..\\jobs\\{made}", f"{made}#"):
            params = {"name": name, "arguments": {field: wrong}}
            answer = ask(api, "tools/call", params, key=bound_key(api))
            assert answer.status_code == 200, (name, wrong)
            assert answer.json["result"]["isError"], (name, wrong)
