"""What the pages for n8n, agents and Postiz's scripts tell people to do, on a whole stack."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from local.child import ROOT
from tests.factories.files import FILES
from tests.scenarios.documented import Terminal, commands_of
from tests.servers.http_server import http_server
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE, wait_until


@pytest.fixture(scope="module")
def terminal(stack: RunningStack) -> Terminal:
    return Terminal(stack)


@contextmanager
def key_made_by(terminal: Terminal, commands: str) -> Iterator[str]:
    [made] = terminal.run(commands)
    yield made["key"]
    terminal.run(f"call -X DELETE $URL/keys/{made['id']}")


def json_of(page: str) -> Any:
    [block] = re.findall(r"^```json\n(.+?)^```$", (ROOT / page).read_text("utf-8"), re.M | re.S)
    return json.loads(block)


class _Clip(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        clip = FILES.mp4(77)
        self.send_response(200)
        self.send_header("Content-Length", str(len(clip)))
        self.end_headers()
        self.wfile.write(clip)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Workflow:
    """Sends what its HTTP Request nodes say, with n8n's expressions that the page uses."""

    def __init__(self, workflow: dict[str, Any], addresses: dict[str, str], key: str) -> None:
        text = json.dumps(workflow)
        for written, real in addresses.items():
            text = text.replace(written, real)
        self._workflow = json.loads(text)
        self._key = key
        self.item: Any = {}

    def nodes(self) -> Iterator[dict[str, Any]]:
        """In the order in which they are connected."""
        by_name = {node["name"]: node for node in self._workflow["nodes"]}
        name = "Start"
        while nexts := self._workflow["connections"].get(name):
            [[only]] = nexts["main"]
            name = only["node"]
            if by_name[name]["type"] == "n8n-nodes-base.httpRequest":
                yield by_name[name]

    def send(self, node: dict[str, Any]) -> requests.Response:
        told = node["parameters"]
        assert (told["authentication"], told["genericAuthType"]) == (
            "genericCredentialType",
            "httpHeaderAuth",
        )
        rows = told.get("headerParameters", {"parameters": []})["parameters"]
        headers = {row["name"]: self._evaluate(row["value"]) for row in rows}
        body = json.loads(self._evaluate(told["jsonBody"])) if "jsonBody" in told else None
        return requests.request(
            told.get("method", "GET"),
            self._evaluate(told["url"]),
            headers={**headers, "Authorization": f"Bearer {self._key}"},
            json=body,
            timeout=PATIENCE,
        )

    def _evaluate(self, value: str) -> str:
        if not value.startswith("="):
            return value
        return re.sub(r"\{\{ (\S+) \}\}", lambda found: self._look_up(found[1]), value[1:])

    def _look_up(self, expression: str) -> str:
        found: Any = {"$execution": {"id": "231"}, "$itemIndex": 0, "$json": self.item}
        for name in expression.split("."):
            found = found[name]
        return str(found)


def test_the_workflow_for_n8n_publishes_once_though_each_call_is_sent_twice(
    terminal: Terminal, stack: RunningStack
) -> None:
    make_key, *_ = commands_of("docs/N8N.md")
    with http_server(_Clip) as clips, key_made_by(terminal, make_key) as key:
        addresses = {"https://PRESSROOM": stack.facts()["web_url"], "https://CLIPS": clips}
        workflow = Workflow(json_of("docs/N8N.md"), addresses, key)
        *posting, looking = workflow.nodes()
        for node in posting:
            first, again = workflow.send(node), workflow.send(node)
            assert first.status_code == 202, first.text
            assert again.headers["Idempotent-Replayed"] == "true"
            assert node["retryOnFail"] is True
            workflow.item = first.json()
        wait_until(lambda: states(workflow.send(looking)) == ["published"])


def states(listed: requests.Response) -> list[str]:
    return [post["state"] for post in listed.json()["items"]]


def test_the_script_for_postiz_makes_one_post_though_it_runs_twice(
    terminal: Terminal, stack: RunningStack, tmp_path: Path
) -> None:
    make_key, *_, script = commands_of("docs/POSTIZ_CLIENTS.md")
    script = script.replace("https://PRESSROOM", stack.facts()["web_url"])
    with key_made_by(terminal, make_key) as key:
        whole = f"cd {tmp_path}\nKEY={key}\n{script}"
        [first], [again] = terminal.run(whole), terminal.run(whole)
    assert first == again
    [post] = first
    assert post["integration"] == "int-mastodon"
    [shown] = terminal.run(f"call $URL/posts/{post['postId']}")
    assert (shown["content"], shown["publish_at"]) == ("Summer sale", "2031-06-01T10:00:00Z")
    terminal.run(f"call -X POST $URL/posts/{post['postId']}/cancel")


def test_an_agent_finds_the_tools_of_its_page_with_the_configuration_of_its_page(
    terminal: Terminal, stack: RunningStack
) -> None:
    body = '{"name": "agent", "scopes": ["read", "publish"], "profile_ids": ["acme"]}'
    told = json_of("docs/AGENTS.md")["mcpServers"]["pressroom"]
    assert told["type"] == "http"
    url = told["url"].replace("http://127.0.0.1:8000", stack.facts()["web_url"])
    text = (ROOT / "docs/AGENTS.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.+`) \| .+ \| (.+) \|$", text, re.M)
    page = {name: what for names, what in rows for name in re.findall(r"`(\w+)`", names)}

    async def ask(key: str) -> tuple[dict[str, Any], Any]:
        headers = {name: value.replace("pr_…", key) for name, value in told["headers"].items()}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            tools = (await client.list_tools()).tools
            answer = await client.call_tool("list_channels", {})
        hints = {each.name: each.annotations and each.annotations.read_only_hint for each in tools}
        return hints, answer.structured_content

    with key_made_by(terminal, f"json $URL/keys -d '{body}'") as key:
        read_only, channels = asyncio.run(ask(key))
    assert read_only == {name: what == "nothing" for name, what in page.items()}
    assert "int-mastodon" in str(channels)
