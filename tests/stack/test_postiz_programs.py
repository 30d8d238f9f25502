"""Programs that were written for Postiz, as they are, on a whole stack: answers are lost on both
sides of Pressroom, and each post is published once.

npm `postiz` and PyPI `postiz-agent`, in the versions that tests/servers names;
`PRESSROOM_PROGRAM_POSTS=200` for a long run.
"""

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.child import ROOT
from local.sandbox.process import Admin
from tests.browser.people import call
from tests.factories.files import FILES
from tests.servers import npm_projects
from tests.servers.breaking_line import breaking_line
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE, wait_until

POSTS = int(os.environ.get("PRESSROOM_PROGRAM_POSTS", "8"))
NOW = datetime.now(UTC)
WINDOW = [f"{NOW + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (-1, 1)]

#: Asked by lines of JSON, and answers with them; null where a call failed.
_AGENT = """
import json, sys
from postiz_agent.api_client import PostizApi
api = PostizApi(base_url=sys.argv[1], token=sys.argv[2])
def create(date, channel, content, medium):
    part = {"content": content, "image": [medium] if medium else []}
    post = {"integration": {"id": channel}, "value": [part], "settings": {"__type": "mastodon"}}
    return api.create_post({"type": "schedule", "date": date, "posts": [post]})
calls = {
    "channels": lambda: [each.id for each in api.get_integrations()],
    "list": lambda *window: [each.model_dump() for each in api.list_posts(*window)],
    "delete": api.delete_post,
    "create": create,
}
for line in sys.stdin:
    asked, *arguments = json.loads(line)
    try:
        answer = calls[asked](*arguments)
    except Exception as error:
        print(error, file=sys.stderr)
        answer = None
    print(json.dumps(answer), flush=True)
"""

Ask = Callable[..., Any]


class Failed(Exception):
    """The program ended with an error: it had no answer."""


def run(command: list[str], **environ: str) -> Any:
    """The JSON in what the program prints, whatever it says around it."""
    done = subprocess.run(
        command,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise Failed(done.stdout + done.stderr)
    found = re.search(r"^[\[{].*", done.stdout, re.DOTALL | re.MULTILINE)
    return json.loads(found[0]) if found else None


@pytest.fixture(scope="module")
def npm_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("npm") / "client"
    npm_projects.install("postiz_js", folder)
    return str(folder / "node_modules/.bin/postiz")


def npm_postiz(program: str, url: str, key: str) -> Ask:
    def ask(what: str, *words: Any) -> Any:
        match what, words:
            case "list", (start, end):
                arguments = ["posts:list", "--startDate", start, "--endDate", end]
            case "create", (date, channel, content, medium):
                arguments = ["posts:create", "-c", content, "-m", medium["path"]]
                arguments += ["-s", date, "-i", channel]
            case _:
                names = {"channels": "integrations:list", "delete": "posts:delete"}
                arguments = [names.get(what, what), *words]
        answer = run([program, *arguments], POSTIZ_API_URL=url, POSTIZ_API_KEY=key)
        return answer["posts"] if what == "list" else answer

    return ask


@pytest.fixture(scope="module")
def agent_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder from which Python imports it."""
    folder = str(tmp_path_factory.mktemp("pypi") / "client")
    names = str(ROOT / "tests/servers/postiz_agent_py/requirements.txt")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--no-deps", "--no-compile", "--target", folder, "--requirement", names]
    installed = subprocess.run(command, timeout=PATIENCE, check=False)
    if installed.returncode and not npm_projects.REQUIRED:
        pytest.skip("pip does not reach its packages here")
    assert installed.returncode == 0
    return folder


@contextmanager
def postiz_agent(program: str, url: str, key: str) -> Iterator[Ask]:
    command = [sys.executable, "-c", _AGENT, url, key]
    environ = {**os.environ, "PYTHONPATH": program}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, text=True) as agent:
        assert agent.stdin is not None
        assert agent.stdout is not None
        tell, hear = agent.stdin, agent.stdout

        def ask(*words: Any) -> Any:
            print(json.dumps(words), file=tell, flush=True)
            while (line := hear.readline()) and line[:1] not in "[{n":
                continue  # what it says of itself
            if not line or (answer := json.loads(line)) is None:
                raise Failed
            return answer

        yield ask
        tell.close()


@pytest.mark.parametrize("program", ["npm", "agent"])
def test_each_post_is_published_once_though_answers_are_lost(
    stack: RunningStack, tmp_path: Path, program: str, request: pytest.FixtureRequest
) -> None:
    sandbox = Admin(stack.facts()["sandbox_url"])
    if POSTS > 50:  # so many at once meet Temporal's limit, and some would stay in QUEUE for ever
        sandbox.change_timing(search_rate=1000, search_burst=1000)
    key = open_profile(stack, sandbox, f"by-{program}")
    port = urlsplit(stack.facts()["web_url"]).port
    assert port is not None
    with breaking_line(port) as line, ExitStack() as ends:
        url = f"http://127.0.0.1:{line.port}"
        if program == "npm":
            ask = npm_postiz(request.getfixturevalue("npm_program"), url, key)
        else:
            installed = request.getfixturevalue("agent_program")
            ask = ends.enter_context(postiz_agent(installed, url, key))
        channel = f"int-by-{program}"
        assert channel in str(ask("channels"))
        (tmp_path / "clip.mp4").write_bytes(FILES.mp4(230))
        # postiz-agent sends files as if they were JSON, which Postiz refuses as we do
        medium = ask("upload", str(tmp_path / "clip.mp4")) if program == "npm" else None
        for kind in ("reply_lost_after", "reply_lost_before"):
            sandbox.add_fault(kind, probability=0.1, times=POSTS, org=f"by-{program}")
        draw = random.Random(3)
        line.loses = lambda piece: b"POST /public/v1/posts" in piece and draw.random() < 0.4
        contents = [f"{program} {number}" for number in range(POSTS)]
        for content in contents:
            create_once(ask, channel, content, medium)
        assert line.lost > 0
    wait_until_published(stack, f"by-{program}")
    sent = Counter(each["content"] for each in sandbox.sends() if each["content"] in contents)
    assert sent == dict.fromkeys(contents, 1)
    print(f"\n{program}: {POSTS} posts, {line.lost} answers to their creation lost")


def open_profile(stack: RunningStack, sandbox: Admin, name: str) -> str:
    """A profile with an organization of its own; the key that its programs get."""
    channel = {"id": f"int-{name}", "name": "Ours", "identifier": "mastodon"}
    sandbox.create_org(name, keys=[f"key-{name}"], integrations=[channel])
    postiz = {"api_url": stack.facts()["sandbox_url"], "api_key": f"key-{name}"}
    body = {"id": name, "name": name, "tts_settings": {"postiz": postiz}}
    call(stack, "POST", "/profiles", body)
    wanted = {"name": name, "scopes": ["read", "publish"], "profile_ids": [name]}
    return str(call(stack, "POST", "/keys", wanted)["key"])


def wait_until_published(stack: RunningStack, profile: str) -> None:
    def states() -> Counter[str]:
        listed = call(stack, "GET", "/posts?limit=1000", profile=profile)["items"]
        return Counter(post["state"] for post in listed)

    wait_until(lambda: set(states()) == {"published"}, lambda: str(states()))


def create_once(ask: Ask, channel: str, content: str, medium: dict[str, str] | None) -> None:
    """As docs/POSTIZ_CLIENTS.md says: whoever got no answer looks before trying again."""
    while True:
        try:
            ask("create", f"{NOW:%Y-%m-%dT%H:%M:%SZ}", channel, content, medium)
            return
        except Failed:
            if any(content == post["content"] for post in ask("list", *WINDOW)):
                return
