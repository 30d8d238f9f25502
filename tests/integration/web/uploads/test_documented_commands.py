"""The commands of docs/UPLOADS.md, as they stand there, at a real server with a bucket."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.child import ROOT
from local.valkey import Valkey
from tests.factories.files import FILES
from tests.servers.api import ADMIN_KEY
from tests.servers.buckets import Bucket
from tests.servers.web_server import Server, serving
from tests.timing.patience import PATIENCE

#: As README.md defines them.
CALL = """set -euo pipefail
call() { curl -sS -H "Authorization: Bearer $KEY" -H 'X-Profile-Id: acme' "$@"; echo; }
json() { call -H 'Content-Type: application/json' "$@"; }
"""
CURL = shutil.which("curl")


@pytest.fixture
def server(
    bucket: Bucket, database_url: str, valkey_server: Valkey, tmp_path: Path
) -> Iterator[Server]:
    more = {**bucket.environ, "PRESSROOM_MEDIA_URL": bucket.url}
    with serving(database_url, valkey_server.url(), tmp_path, **more) as running:
        yield running


def commands(language: str) -> list[str]:
    text = (ROOT / "docs" / "UPLOADS.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.skipif(CURL is None, reason="no curl here")
def test_they_do_what_they_say(server: Server, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(FILES.mp4())
    resumable, direct, media = commands("bash")
    [python] = commands("python")
    (tmp_path / "clip.py").write_text(f"URL, KEY = {server.url!r}, {ADMIN_KEY!r}\n{python}")

    def run(script: str) -> str:
        environ = {"URL": server.url, "KEY": ADMIN_KEY, "PATH": "/usr/bin:/bin:/usr/local/bin"}
        ran = subprocess.run(
            ["bash", "-c", CALL + script],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    told = run(resumable)
    assert re.search(r"(?im)^upload-offset: 1000\b", told)
    assert re.search(r"(?im)^pressroom-media-id: 1\b", told)
    assert '"duplicate":true' in run(direct).replace(" ", "")
    shown = run(media)
    assert '"used_by":0' in shown and "media_in_use" in shown, "no worker has uploaded it"
    assert (tmp_path / "copy.mp4").read_bytes() == FILES.mp4()
    assert (tmp_path / "small.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    subprocess.run([sys.executable, "clip.py"], cwd=tmp_path, check=True, timeout=PATIENCE)
    found = server.get("/media").json()["items"]
    assert [item["name"] for item in found] == ["clip.mp4"], "the same file, once"
