"""Over TLS the IP is what was checked, and the certificate is of the name in the address."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.webhooks import new_secret
from worker.sending import Parcel, attempt

NAME = "hooks.example"


def certificate(folder: Path) -> Path:
    """Of `NAME`, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if self.headers["Host"].startswith(NAME) else 421)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A receiver that every name leads to, with a certificate that we trust."""
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = HTTPServer(("127.0.0.1", 0), _Hook)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setattr(certifi, "where", lambda: str(file))
    real = socket.getaddrinfo

    def to_us(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".example") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", to_us)
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def tried(url: str) -> tuple[int | None, str | None]:
    parcel = Parcel(
        id=1,
        claim=1,
        webhook_id=1,
        attempt=1,
        message_id="msg_1",
        url=url,
        secrets=[new_secret()],
        body="{}",
    )
    answer = attempt(parcel, allow_private=True).answer
    return answer.status, answer.error


def test_the_certificate_must_be_of_the_name_in_the_address(port: int) -> None:
    assert tried(f"https://{NAME}:{port}/") == (200, None)
    status, error = tried(f"https://another.example:{port}/")
    assert status is None
    assert error is not None
    assert error.startswith("TLS failed: ")
    assert "another.example" in error
