"""What an earlier run published is known by clip and channel, whatever a proxy says meanwhile."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from cli.__main__ import main
from cli.failures import CliFailure
from cli.http.api import Api
from cli.publishing.order import Timing
from cli.publishing.run import Wishes, publish_rows
from cli.publishing.source import read_rows
from cli.sign_in import SignIn
from local.sandbox.process import SandboxProcess
from local.valkey import Valkey
from tests.factories.files import FILES
from tests.integration.conftest import DEMO_KEY
from tests.servers.api import ADMIN_KEY
from tests.servers.breaking_line import breaking_line
from tests.servers.raw_server import answering, body
from tests.servers.web_server import Server, serving

CHANNELS = ["int-mastodon", "int-x"]
TIMING = Timing(interval=0, slots=None, start="2031-08-01T09:00", zone="UTC")


@pytest.fixture
def shop(
    database_url: str, valkey_server: Valkey, tmp_path: Path, postiz: SandboxProcess
) -> Iterator[Server]:
    """Its profile `acme` has the sandbox's channels."""
    more = {
        "POSTIZ_API_URL": postiz.api_url,
        "POSTIZ_API_KEY": DEMO_KEY,
        "PRESSROOM_ALLOWED_HOSTS": urlsplit(postiz.api_url).netloc,
    }
    with serving(database_url, valkey_server.url(), tmp_path, **more) as running:
        yield running


class _BehindProxy(Api):
    """Its requests to publish arrive, and the proxy at `proxy` answers them."""

    proxy = ""

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        reply = super().send(method, path, **more)
        if path != "/postiz/bulk-publish" or "dry_run" in (more.get("params") or {}):
            return reply
        assert reply.json()["job"]["id"]
        return requests.get(self.proxy, stream=True, timeout=60)


def publish(api: Api, folder: Path, channels: list[str], **more: Any) -> str | None:
    wishes = Wishes(source=folder, timing=TIMING, ask=None, again=False, dry_run=False, more=more)
    return publish_rows(api, read_rows(folder, None, channels), wishes)


def run(monkeypatch: pytest.MonkeyPatch, port: int, *words: str) -> int:
    """The exit code of a command for `acme`."""
    for name, value in {
        "PRESSROOM_URL": f"http://127.0.0.1:{port}",
        "PRESSROOM_API_KEY": ADMIN_KEY,
        "PRESSROOM_PROFILE": "acme",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["pressroom", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_what_is_told_to_many_posts_is_told_to_each_and_a_schedule_is_run_once(
    shop: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bulk = {"items": [{"caption": "one"}], "integration_ids": CHANNELS[:1]}
    day = {"name": "daily", "cron": "0 9 * * *", "bulk": bulk}
    schedule = shop.post("/schedules", json=day).json()["id"]
    lost = [True]
    with breaking_line(shop.port) as line:
        line.loses = lambda sent: b"/run HTTP" in sent and bool(lost) and lost.pop()
        assert run(monkeypatch, line.port, "schedules", "run", schedule) == 0
        assert line.lost == 1
    [post] = shop.get("/posts").json()["items"]
    assert run(monkeypatch, shop.port, "posts", "cancel", "999999", post["id"], "999998") == 1
    told = capsys.readouterr()
    assert f"{post['id']}\t" in told.out
    assert all(f"no post '{gone}'" in told.err for gone in ("999999", "999998"))
    assert shop.get(f"/posts/{post['id']}").json()["state"] == "cancelled"


def test_a_webhook_whose_answer_is_lost_is_taken_away(
    shop: Server, postiz: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--public-url`: an address that may be called there."""
    address = ["--forward-to", "http://127.0.0.1:9", "--public-url", postiz.url]
    with breaking_line(shop.port) as line:
        line.loses = lambda sent: b"POST /api/v1/webhooks HTTP" in sent
        assert run(monkeypatch, line.port, "webhooks", "listen", *address) == 1
        assert line.lost == 1
    made = [entry["operation"] for entry in shop.get("/audit").json()["items"]]
    assert (shop.get("/webhooks").json()["items"], len(made)) == ([], 3), made


def test_a_clip_is_published_once_on_each_channel(
    shop: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"clip-{number}.mp4").write_bytes(FILES.mp4(300 + number))
    signed_in = SignIn(url=f"http://127.0.0.1:{shop.port}", api_key=ADMIN_KEY, profile="acme")
    with answering(body(b"<html>no such backend</html>", status=404)) as proxy:
        behind = _BehindProxy(signed_in)
        behind.proxy = proxy.url
        with pytest.raises(CliFailure, match="404"):
            publish(behind, folder, CHANNELS[:1])
    whole = {"name": "a", "scopes": ["read", "publish"], "profile_ids": ["acme"]}
    other = replace(signed_in, api_key=shop.post("/keys", json=whole).json()["key"])
    with pytest.raises(CliFailure, match="with another API key"):
        publish(Api(other), folder, CHANNELS[:1])
    api = Api(signed_in)
    first = publish(api, folder, CHANNELS[:1])
    (folder / "clip-3.mp4").write_bytes(FILES.mp4(303))
    drafts = publish(api, folder, CHANNELS[:1], save_as_draft=True)
    assert publish(api, folder, CHANNELS[:1], save_as_draft=True) == drafts != first
    drafted = [post["id"] for post in shop.get(f"/jobs/{drafts}/posts").json()["items"]]
    assert len(drafted) == 1
    assert publish(api, folder, CHANNELS) != first
    assert publish(api, folder, CHANNELS[1:]) is not None
    posts = [each for each in shop.get("/posts").json()["items"] if each["id"] not in drafted]
    assert Counter((post["external_id"], post["integration"]["id"]) for post in posts) == {
        (f"clip-{number}.mp4", channel): 1 for number in (1, 2, 3) for channel in CHANNELS
    }
