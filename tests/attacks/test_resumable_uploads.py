"""Resumable uploads with the clients that people use, through broken lines and killed processes."""

import hashlib
import json
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import requests
from tusclient.client import TusClient

from tests.scenarios.big_files import MIB, big_video
from tests.servers import npm_projects
from tests.servers.api import ADMIN_KEY, PREFIX
from tests.servers.breaking_line import BreakingLine, breaking_line
from tests.servers.web_server import HEADERS, Server
from tests.timing.patience import PATIENCE, wait_until

SIZE = 200 * MIB
CHUNK = 16 * MIB
TUS = {**HEADERS, "Tus-Resumable": "1.0.0"}
#: What is sent besides the bytes of a file: heads of requests.
HEADS = MIB


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kill_web_at(server: Server, line: BreakingLine, sent: int) -> threading.Thread:
    """Once clients have sent so much, every web process is killed; the master starts others."""

    def kill() -> None:
        wait_until(lambda: line.sent >= sent)
        for child in psutil.Process(server.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def shown_medium(server: Server, media_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = server.get(f"/media/{media_id}").json()
    return shown


def finished_medium(url: str) -> str:
    told = requests.head(url, headers=TUS, timeout=PATIENCE)
    assert told.headers["Upload-Offset"] == told.headers["Upload-Length"]
    return told.headers["Pressroom-Media-Id"]


def test_a_large_file_arrives_though_the_line_breaks_and_web_is_killed(
    server: Server, tmp_path: Path
) -> None:
    """tuspy; and nothing is sent twice but what was under way."""
    path = big_video(tmp_path / "big.mp4", SIZE)
    with breaking_line(server.port) as line:
        line.breaks_at = [40 * MIB, 150 * MIB]
        killing = kill_web_at(server, line, 90 * MIB)
        client = TusClient(f"http://127.0.0.1:{line.port}{PREFIX}/uploads", headers=HEADERS)
        uploader = client.uploader(
            str(path),
            chunk_size=CHUNK,
            retries=60,
            retry_delay=1,
            metadata={"filename": "big.mp4"},
        )
        uploader.upload()
        killing.join(PATIENCE)
        assert line.breaks == 2
        assert SIZE < line.sent < SIZE + 3 * CHUNK + HEADS
        shown = shown_medium(server, finished_medium(str(uploader.url)))
    assert (shown["sha256"], shown["name"]) == (sha256_of(path), "big.mp4")
    assert (shown["width"], shown["size"]) == (64, SIZE)
    assert len(server.files()) == 1


def test_tus_js_client_goes_on_after_a_break(server: Server, tmp_path: Path) -> None:
    path = big_video(tmp_path / "some.mp4", 21 * MIB)
    folder = tmp_path / "client"
    npm_projects.install("tus_js", folder)
    with breaking_line(server.port) as line:
        line.breaks_at = [8 * MIB]
        killing = kill_web_at(server, line, 17 * MIB)
        endpoint = f"http://127.0.0.1:{line.port}{PREFIX}/uploads"
        ran = subprocess.run(
            [npm_projects.NODE or "node", "upload.mjs", endpoint, str(path), ADMIN_KEY, "acme"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        killing.join(PATIENCE)
        assert ran.returncode == 0, ran.stderr
        assert line.breaks == 1
    told = json.loads(ran.stdout)
    shown = shown_medium(server, told["media"])
    assert (shown["sha256"], shown["name"]) == (sha256_of(path), "clip.mp4")


def create(server: Server, size: int) -> str:
    headers = {**TUS, "Upload-Length": str(size)}
    made = requests.post(f"{server.url}/uploads", headers=headers, timeout=PATIENCE)
    assert made.status_code == 201, made.text
    return f"{server.url}/uploads/{made.headers['Location'].rpartition('/')[2]}"


def patch(url: str, offset: int, content: bytes) -> requests.Response:
    kind = "application/offset+octet-stream"
    headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": kind}
    return requests.patch(url, data=content, headers=headers, timeout=PATIENCE)


def half_sent(server: Server, url: str, content: bytes, half: int) -> socket.socket:
    """A client that has sent the head and a part of its bytes, and is slow with the rest."""
    client = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    path = url[url.index(PREFIX) :]
    lines = {**TUS, "Upload-Offset": "0", "Content-Length": str(len(content))}
    lines |= {"Content-Type": "application/offset+octet-stream", "Host": "x"}
    head = "\r\n".join([f"PATCH {path} HTTP/1.1", *(f"{k}: {v}" for k, v in lines.items()), "", ""])
    client.sendall(head.encode() + content[:half])
    return client


def offset_of(url: str) -> int:
    return int(requests.head(url, headers=TUS, timeout=PATIENCE).headers["Upload-Offset"])


def test_what_arrived_of_a_short_body_is_kept_too(server: Server, tmp_path: Path) -> None:
    """Over a poor line even that takes longer than a request's head may."""
    content = big_video(tmp_path / "some.mp4", 300 * 1024).read_bytes()
    url = create(server, len(content))
    half_sent(server, url, content, 200 * 1024).close()
    wait_until(lambda: offset_of(url) == 200 * 1024)
    assert patch(url, 200 * 1024, content[200 * 1024 :]).status_code == 204
    assert server.get(f"/media/{finished_medium(url)}/file").content == content


def test_of_two_clients_on_one_upload_one_waits_and_what_arrived_of_a_broken_one_is_kept(
    server: Server, tmp_path: Path
) -> None:
    content = big_video(tmp_path / "some.mp4", 12 * MIB).read_bytes()
    url = create(server, len(content))
    client = half_sent(server, url, content, 9 * MIB)
    wait_until(lambda: offset_of(url) == 8 * MIB)  # two pieces, while the client still sends
    second = patch(url, 8 * MIB, content[8 * MIB :])
    assert (second.status_code, second.json()["code"]) == (423, "upload_busy")
    client.close()
    wait_until(lambda: offset_of(url) == 9 * MIB)
    replies: list[requests.Response] = []

    def send() -> None:
        replies.append(patch(url, 9 * MIB, content[9 * MIB :]))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses.count(204) == 1 and set(statuses) <= {204, 409, 423}, statuses
    assert server.get(f"/media/{finished_medium(url)}/file").content == content
