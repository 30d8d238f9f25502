"""Messages to `POST /mcp` without a library, and what tools answer to them."""

import json
from typing import Any, cast

import jsonschema  # type: ignore[import-untyped]

from tests.servers.api import ADMIN_KEY, Api, Reply

VERSION = "2026-07-28"
BULK = {
    "items": [{"caption": "one"}, {"caption": "two"}],
    "integration_ids": ["int-mastodon"],
    "schedule_date": "2031-08-01T00:00:00Z",
}


def post(api: Api, body: Any, *, key: str | None = ADMIN_KEY, **headers: str) -> Reply:
    sent = {**headers, **({"Authorization": f"Bearer {key}"} if key else {})}
    data = body if isinstance(body, bytes) else json.dumps(body)
    reply = api.app.test_client().post(
        "/mcp", data=data, headers=sent, content_type="application/json"
    )
    return cast(Reply, reply)


def ask(api: Api, method: str, params: dict[str, Any], **more: Any) -> Reply:
    """A request of the current version; `name` goes where the version wants it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP-Protocol-Version": VERSION, "Mcp-Method": method}
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {**params, "_meta": meta}}
    return post(api, body, **{**headers, **more})


def call(api: Api, name: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    reply = ask(api, "tools/call", {"name": name, "arguments": arguments or {}}, **more)
    assert reply.status_code == 200, reply.text
    result: dict[str, Any] = reply.json["result"]
    return result


def done(api: Api, name: str, arguments: Any = None, **more: Any) -> Any:
    """The structured content, which is of the shape that the tool announces."""
    result = call(api, name, arguments, **more)
    assert not result["isError"], result["content"][0]["text"]
    tools = ask(api, "tools/list", {}).json["result"]["tools"]
    [schema] = [tool["outputSchema"] for tool in tools if tool["name"] == name]
    jsonschema.validate(result["structuredContent"], schema)
    assert result["content"][0]["text"]
    return result["structuredContent"]


def refusal(api: Api, name: str, arguments: Any = None, **more: Any) -> str:
    result = call(api, name, arguments, **more)
    assert result["isError"]
    assert "structuredContent" not in result
    return str(result["content"][0]["text"])


def bound_key(api: Api, *scopes: str, profile: str = "acme") -> str:
    return api.key(*(scopes or ("read", "publish")), profiles=[profile])
