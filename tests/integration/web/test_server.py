"""The API behind its real server: uploads that break off, refusals that are read, clean ends."""

import io
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.factories.files import FILES
from tests.servers.api import ADMIN_KEY, PREFIX
from tests.servers.web_server import Server
from tests.timing.patience import PATIENCE, wait_until

HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\x89PNG\r\n\x1a\n'


def test_a_connection_that_breaks_off_leaves_no_half_file(server: Server) -> None:
    head = (
        f"POST {PREFIX}/postiz/upload HTTP/1.1\r\nHost: a\r\nX-Profile-Id: acme\r\n"
        f"Authorization: Bearer {ADMIN_KEY}\r\nContent-Length: 9000000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as sender:
        sender.sendall(head.encode() + HEAD + b"\0" * 3_000_000)
        wait_until(lambda: any(path.stat().st_size for path in server.files()))
    wait_until(lambda: server.files() == [])


def test_a_refusal_is_read_even_by_a_sender_that_sends_all_first(server: Server) -> None:
    refused = {"file": ("a", io.BytesIO(b"\0\0\0\x20ftypqt  " + b"\0" * 50_000_000))}
    reply = server.post("/postiz/upload", files=refused)
    assert (reply.status_code, reply.json()["code"]) == (415, "unsupported_media")
    unknown = requests.post(
        f"{server.url}/postiz/upload",
        data=b"\0" * 50_000_000,
        headers={"Authorization": "Bearer pk_wrong"},
        timeout=PATIENCE,
    )
    assert unknown.status_code == 401
    assert server.files() == []


def test_an_upload_of_chunks_without_a_length_is_taken(server: Server) -> None:
    def chunks() -> Iterator[bytes]:
        yield HEAD[: HEAD.index(b"\x89PNG")]
        yield FILES.png()
        yield b"\r\n--b--\r\n"

    headers = {
        "Authorization": f"Bearer {ADMIN_KEY}",
        "X-Profile-Id": "acme",
        "Content-Type": "multipart/form-data; boundary=b",
    }
    url = f"{server.url}/postiz/upload"
    reply = requests.post(url, data=chunks(), headers=headers, timeout=PATIENCE)
    assert reply.status_code == 202, reply.text
    assert reply.json()["media"]["size"] == len(FILES.png())


def test_a_revoked_key_is_no_key_in_any_process_at_once(server: Server) -> None:
    """Two processes answer; whichever had accepted it asks again."""
    made = server.post("/keys", json={"name": "k", "scopes": ["read"]}).json()
    rotated = server.post(f"/keys/{made['id']}/rotate", json={"overlap_seconds": 60}).json()
    for key in (made["key"], rotated["key"]):
        assert statuses(server, key) == {200}
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    url = f"{server.url}/keys/{made['id']}"
    assert requests.delete(url, headers=headers, timeout=PATIENCE).status_code == 204
    for key in (made["key"], rotated["key"]):
        assert statuses(server, key) == {401}


def statuses(server: Server, key: str) -> set[int]:
    """Of so many requests, each by a connection of its own, that every process gets some."""
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{server.url}/profiles"
    return {requests.get(url, headers=headers, timeout=PATIENCE).status_code for _ in range(30)}


def test_no_key_reaches_the_log_and_the_end_is_clean(server: Server, tmp_path: Path) -> None:
    assert server.post("/keys", json={"name": "k", "scopes": ["read"]}).status_code == 201
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=PATIENCE) == 0
    log = (tmp_path / "log").read_text()
    assert ADMIN_KEY not in log
    assert "Traceback" not in log
