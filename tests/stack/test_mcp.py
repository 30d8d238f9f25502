"""An agent's session, with the official client of the Model Context Protocol."""

import asyncio
import itertools
import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from local.sandbox.process import SandboxProcess, start_sandbox
from tests.scenarios.bulks import CHANNELS, Press
from tests.servers import npm_projects
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE
from tests.timing.sandbox_timings import steady_timing
from web.mcp.tools import TOOLS

KEY = "key-of-agents"
PROFILE = "agents"
REFUSED = "a word that the network does not like"


@pytest.fixture(scope="module")
def press(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Press]:
    folder = tmp_path_factory.mktemp("agents")
    with start_sandbox(folder, timing=steady_timing(), seed=[]) as sandbox:
        sandbox.admin.create_org(PROFILE, keys=[KEY], integrations=CHANNELS)
        made = Press(stack=stack, sandboxes={PROFILE: sandbox})
        postiz = {"api_url": sandbox.api_url, "api_key": KEY}
        body = {"id": PROFILE, "name": "A", "tts_settings": {"postiz": postiz}}
        made.call(PROFILE, "POST", "/profiles", body)
        yield made


class Agent:
    """Calls tools; the client itself checks that answers have the shape that was announced."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def use(self, tool: str, **given: Any) -> Any:
        answer = await self._client.call_tool(tool, given)
        assert not answer.is_error, answer.content
        assert answer.content[0].type == "text"
        return answer.structured_content

    async def refusal(self, tool: str, **given: Any) -> str:
        answer = await self._client.call_tool(tool, given)
        assert answer.is_error
        return str(answer.content[0].text)  # type: ignore[union-attr]

    async def publish(self, *captions: str, **more: Any) -> str:
        items = [{"caption": caption} for caption in captions]
        plan = await self.use(
            "plan_posts",
            items=items,
            integration_ids=["int-one"],
            schedule_interval_minutes=0,
            **more,
        )
        assert [post["content"] for post in plan["posts"]] == list(captions)
        done = await self.use("publish_posts", plan_id=plan["plan_id"])
        return str(done["job"]["id"])

    async def watch(self, tool: str, done: Callable[[Any], bool], **given: Any) -> Any:
        for _ in range(int(PATIENCE / 0.5)):
            if done(seen := await self.use(tool, **given)):
                return seen
            await asyncio.sleep(0.5)
        raise AssertionError(seen)


@asynccontextmanager
async def connected(press: Press, key: str, mode: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{press.stack.facts()['web_url']}/mcp"
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


def make_key(press: Press) -> str:
    body = {"name": "agent", "scopes": ["read", "publish"], "profile_ids": [PROFILE]}
    return str(press.call(PROFILE, "POST", "/keys", body)["key"])


def run(press: Press, session: Callable[[Agent], Awaitable[None]], mode: str = "auto") -> None:
    key = make_key(press)

    async def whole() -> None:
        async with connected(press, key, mode) as client:
            await session(Agent(client))

    asyncio.run(whole())


def sends(sandbox: SandboxProcess) -> list[str]:
    return sorted(row["content"] for row in sandbox.admin.sends())


def test_an_agent_plans_publishes_watches_mends_and_takes_back(press: Press) -> None:
    sandbox = press.sandboxes[PROFILE]
    sandbox.admin.add_fault("publish_error", message="Not that word", contains=REFUSED)

    async def session(agent: Agent) -> None:
        channels = (await agent.use("list_channels"))["channels"]
        assert {each["id"] for each in channels} == {"int-one", "int-two"}
        job = await agent.publish("fine", REFUSED)
        assert (await agent.use("get_job", job_id=job))["job"]["total"] == 2
        both = {"published": 1, "failed": 1}
        ended = await agent.watch("get_job", lambda seen: seen["job"]["counts"] == both, job_id=job)
        assert ended["failures"]
        await mend(press, agent, job)
        await take_back(agent)
        assert (await agent.use("server_health"))["items"][0]["verdict"] != "stalled"

    run(press, session)
    assert sends(sandbox) == ["a better word", "fine"]
    run(press, publish_at_once, mode="legacy")
    assert sends(sandbox) == ["a better word", "fine", "once", "once"]


async def mend(press: Press, agent: Agent, job: str) -> None:
    """The agent mends the words; that it is not on the network is a person's word."""
    [failed] = (await agent.use("list_posts", job_id=job, state="failed"))["posts"]
    post = {"post_id": failed["id"]}
    await agent.use("edit_post", **post, caption="a better word")
    which = {"ids": [failed["id"]]}
    left = await agent.use("retry_posts", **which)
    assert (left["changed"], left["may_be_live"]) == (0, 1)
    assert "ask a person" in failed["next_step"]
    edited = (await agent.use("get_post", **post))["post"]
    told = await agent.refusal("retry_missing_post", **post, as_of=edited["as_of"])
    assert "person_has_to_look" in told
    word = {"confirm_not_published": True, "as_of": edited["as_of"]}
    press.call(PROFILE, "POST", f"/posts/{failed['id']}/retry", word)
    seen = await agent.watch("get_post", lambda seen: seen["post"]["release_url"], **post)
    assert seen["post"]["outcome"] == "published"


async def take_back(agent: Agent) -> None:
    later = await agent.publish("never", "nor this", schedule_date="2031-08-01T00:00:00Z")
    preview = await agent.use("cancel_posts", job_id=later, dry_run=True)
    assert preview["changed"] == 2
    assert (await agent.use("cancel_posts", job_id=later))["changed"] == 2
    ended = await agent.watch("get_job", lambda seen: seen["job"]["finished_at"], job_id=later)
    assert ended["job"]["state"] == "cancelled"


async def publish_at_once(agent: Agent) -> None:
    plan = await agent.use(
        "plan_posts", items=[{"caption": "once"}], integration_ids=["int-one", "int-two"]
    )
    calls = itertools.repeat(plan["plan_id"], 6)
    done = await asyncio.gather(*(agent.use("publish_posts", plan_id=each) for each in calls))
    [job] = {each["job"]["id"] for each in done}
    published = {"published": 2}
    await agent.watch("get_job", lambda seen: seen["job"]["counts"] == published, job_id=job)
    again = await agent.use("publish_posts", plan_id=plan["plan_id"])
    assert again["job"]["id"] == job
    assert "plan_posts" in await agent.refusal("publish_posts", plan_id="plan_nothing")


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_finds_nothing_to_complain_of(
    press: Press, inspector: Path, tmp_path: Path, era: str
) -> None:
    """Of both kinds: with a handshake, and of today's version; `--strict` looks at the schemas."""
    headers = f"Authorization: Bearer {make_key(press)}"
    address = f"{press.stack.facts()['web_url']}/mcp"

    def ask(*words: str) -> Any:
        command = [npm_projects.NODE or "node", str(inspector), "--cli", address]
        command += ["--transport", "http", "--header", headers, "--protocol-era", era]
        done = subprocess.run(
            [*command, "--format", "json", "--method", *words],
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["result"]

    assert {tool["name"] for tool in ask("tools/list", "--strict")["tools"]} == set(TOOLS)
    channels = ask("tools/call", "--tool-name", "list_channels")["structuredContent"]["channels"]
    assert {each["id"] for each in channels} == {"int-one", "int-two"}


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm") / "inspector"
    npm_projects.install("inspector_js", folder)
    return folder / "node_modules/.bin/mcp-inspector"
