"""A folder and its clips may have any bytes for a name."""

import json
import os
from pathlib import Path

import pytest

from cli.output import print_json
from cli.places import memory_name, state_folder
from cli.publishing.memory import Pending, remembering
from cli.publishing.order import Timing, build_body
from cli.publishing.rows import PostRow


def test_names_that_are_no_text_are_published_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    clip = folder / os.fsdecode(b"\xe9t\xe9.mp4")
    row = PostRow(files=[clip], caption="a", channels=["c"], place=str(clip))
    timing = Timing(interval=None, slots=None, start=None, zone="UTC")
    body = build_body([row], {clip: "1"}, timing, {})
    assert body["items"][0]["external_id"] == "?t?.mp4"
    body["name"] = str(clip)
    with remembering("https://a", "acme", folder) as memory:
        memory.begin(Pending(key="k", rows=["r"], asked="", body=body, began_at=""))
    with remembering("https://a", "acme", folder) as memory:
        assert memory.pending is not None
        assert memory.pending.body == body
    print_json(["file"], [{"file": str(clip)}])
    assert json.loads(capsys.readouterr().out) == [{"file": str(clip)}]


def test_what_was_remembered_under_the_address_as_it_was_written_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`localhost` was another server than `127.0.0.1` once: the folder would be published again."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server, url = "http://127.0.0.1:8000", "http://localhost:8000"
    folder = tmp_path / "clips"
    folder.mkdir()
    with remembering(url, "acme", folder) as memory:
        memory.begin(Pending(key="k", rows=["r"], asked="", body={}, began_at=""))
        memory.note_published("17")
    assert former_name(url, folder) in names_kept()
    for _ in range(2):
        with remembering(server, "acme", folder, url=url) as memory:
            assert memory.published == {"r": "17"}
    assert former_name(url, folder) not in names_kept()


def former_name(url: str, folder: Path) -> str:
    return f"{memory_name(url, 'acme', str(folder))}.json"


def names_kept() -> list[str]:
    return [path.name for path in (state_folder() / "published").iterdir()]
