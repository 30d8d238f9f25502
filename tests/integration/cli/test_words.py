"""Words and plans of which the answer was lost: given again they say what they said then."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from cli.failures import LineBroken
from cli.http.api import Api
from cli.publishing.order import Timing
from cli.publishing.run import Wishes, publish_rows
from cli.publishing.source import read_rows
from cli.sign_in import SignIn
from shared.db import sqlalchemy_url
from tests.factories.files import FILES
from tests.integration.cli.test_publishing import CHANNELS, run, shop
from tests.servers.api import ADMIN_KEY
from tests.servers.breaking_line import breaking_line
from tests.servers.web_server import Server

__all__ = ["shop"]


def make_unknown(database_url: str) -> None:
    """As a release ends whose outcome nobody knows."""
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.begin() as connection:
        unknown = "state = 'failed', error_code = 'outcome_unknown', updated_at = now()"
        connection.execute(text(f"UPDATE posts SET {unknown}"))
    engine.dispose()


@pytest.mark.parametrize("thing", ["posts", "jobs"])
def test_a_word_whose_answer_was_lost_is_not_given_anew(
    thing: str,
    shop: Server,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first word let the post go, and what became of that is unknown as well."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("PRESSROOM_PATIENCE", "0")
    bulk = {"items": [{"caption": "one"}], "integration_ids": CHANNELS[:1]}
    job = shop.post("/postiz/bulk-publish", json=bulk).json()["job"]["id"]
    [post] = shop.get("/posts").json()["items"]
    make_unknown(database_url)
    command = [thing, "retry", post["id"] if thing == "posts" else job, "--confirm-not-published"]
    lost = [True]
    with breaking_line(shop.port) as line:
        line.loses = lambda sent: b"/retry HTTP" in sent and bool(lost) and lost.pop()
        assert run(monkeypatch, line.port, *command) == 1
        assert line.lost == 1
        assert shop.get(f"/posts/{post['id']}").json()["state"] == "pending", "it has arrived"
        make_unknown(database_url)
        run(monkeypatch, line.port, *command)
        assert "says nothing of what has happened since" in capsys.readouterr().err
        left = shop.get(f"/posts/{post['id']}").json()
        assert (left["state"], left["error"]["code"]) == ("failed", "outcome_unknown")
        assert run(monkeypatch, line.port, *command) == 0, "a word of its own"
    assert shop.get(f"/posts/{post['id']}").json()["state"] == "pending"


class _NeverArrives(Api):
    """Its requests to publish are lost on their way."""

    def send(self, method: str, path: str, **more: Any) -> Any:
        if path == "/postiz/bulk-publish" and "dry_run" not in (more.get("params") or {}):
            raise LineBroken("lost")
        return super().send(method, path, **more)


def test_slots_that_are_over_are_not_replaced_unasked(
    shop: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PRESSROOM_PATIENCE", "0")
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(FILES.mp4(400))
    timing = Timing(interval=None, slots=["09:00", "18:30"], start=None, zone="UTC")
    signed_in = SignIn(url=f"http://127.0.0.1:{shop.port}", api_key=ADMIN_KEY, profile="acme")
    asked: list[str] = []

    def publish(api: Api, *answers: bool) -> str | None:
        given = list(answers)

        def ask(question: str) -> bool:
            asked.append(question)
            return given.pop(0)

        wishes = Wishes(source=folder, timing=timing, ask=ask, again=False, dry_run=False)
        return publish_rows(api, read_rows(folder, None, CHANNELS[:1]), wishes)

    with pytest.raises(LineBroken):
        publish(_NeverArrives(signed_in), True)
    [kept] = (tmp_path / "state").rglob("published/*.json")
    memory = json.loads(kept.read_text())
    memory["pending"]["times_tag"] = "of slots that are over"
    kept.write_text(json.dumps(memory))
    assert publish(Api(signed_in), False) is None
    assert shop.get("/posts").json()["items"] == []
    assert publish(Api(signed_in), True) is not None
    assert asked == ["Publish 1 post?"] * 3
    assert publish(Api(signed_in)) is not None
    assert len(shop.get("/posts").json()["items"]) == 1
