"""deploy/Caddyfile in a real Caddy: TLS, what it lets in, and that slow clients do not stop it."""

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from local.child import ROOT
from local.ports import free_port
from local.valkey import Valkey
from tests.servers.api import ADMIN_KEY, PREFIX
from tests.servers.web_server import serving
from tests.timing.patience import PATIENCE, wait_until

CADDY = shutil.which("caddy")
REQUIRED = os.environ.get("PRESSROOM_OPTIONAL_TESTS") == "required"
pytestmark = pytest.mark.skipif(
    CADDY is None and not REQUIRED, reason="no caddy here: apt-get install caddy"
)
SLOW = 200


@dataclass(frozen=True)
class Gateway:
    port: int
    authority: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(
            self.url + path, headers=headers, timeout=PATIENCE, verify=str(self.authority)
        )

    def connected(self) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.authority))
        plain = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        return context.wrap_socket(plain, server_hostname="localhost")


@pytest.fixture(scope="module")
def gateway(
    module_database_url: str, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    port = free_port()
    here = f"admin off\n\tskip_install_trust\n\tdefault_bind 127.0.0.1\n\thttp_port {free_port()}"
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    config = folder / "Caddyfile"
    config.write_text(text.replace("admin off", f"{here}\n\thttps_port {port}"))
    found = Gateway(port, folder / "caddy" / "pki" / "authorities" / "local" / "root.crt")
    with serving(module_database_url, valkey_server.url(), folder) as web:
        environ = {
            "PRESSROOM_WEB": f"127.0.0.1:{web.port}",
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder),
            "PATH": os.defpath,
        }
        with (folder / "caddy.log").open("wb") as log:
            caddy = subprocess.Popen(
                [str(CADDY), "run", "--config", str(config), "--adapter", "caddyfile"],
                env=environ,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(lambda: answers(found), (folder / "caddy.log").read_text)
            yield found
        finally:
            caddy.terminate()
            caddy.wait(timeout=PATIENCE)


def answers(gateway: Gateway) -> bool:
    try:
        return gateway.authority.exists() and gateway.get("/docs").ok
    except requests.ConnectionError:
        return False


def test_the_api_is_reached_with_tls_alone(gateway: Gateway) -> None:
    reply = gateway.get(f"{PREFIX}/profiles", Authorization=f"Bearer {ADMIN_KEY}")
    assert [profile["id"] for profile in reply.json()["items"]] == ["acme"]
    assert "max-age" in reply.headers["Strict-Transport-Security"]
    assert "Server" not in reply.headers
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(gateway.url, timeout=PATIENCE)


def test_what_is_for_this_host_is_not_passed_on(gateway: Gateway) -> None:
    """In no spelling that web would understand."""
    inside = ("/metrics", "/health/live", "/health/ready")
    spellings = ("{}", "{}/", "{}//", "/{}", "/docs/..{}", "{}?a=b", "{}/.")
    for path in (spelling.format(name) for name in inside for spelling in spellings):
        request = requests.Request("GET", gateway.url).prepare()
        request.url = gateway.url + path
        with requests.Session() as session:
            reply = session.send(request, timeout=PATIENCE, verify=str(gateway.authority))
        assert reply.status_code == 404, path


def test_heads_are_limited(gateway: Gateway) -> None:
    assert gateway.get("/docs", Padding="a" * 40_000).status_code == 431


def test_a_refusal_comes_through_in_our_words(gateway: Gateway) -> None:
    reply = requests.post(
        f"{gateway.url}{PREFIX}/profiles",
        data=json.dumps({"name": "n"}),
        headers={"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "text/plain"},
        timeout=PATIENCE,
        verify=str(gateway.authority),
    )
    assert (reply.status_code, reply.json()["code"]) == (400, "not_json")


def test_heads_that_are_never_finished_leave_it_answering(gateway: Gateway) -> None:
    """6: and they are disconnected in the end."""
    with ExitStack() as held:
        slow = [held.enter_context(closing(gateway.connected())) for _ in range(SLOW)]
        for each in slow:
            each.sendall(b"GET /docs HTTP/1.1\r\nHost: localhost\r\n")
        assert gateway.get("/docs").ok
        assert slow[0].recv(1024) in {b"", b"HTTP/1.1 408 Request Timeout\r\n"}
