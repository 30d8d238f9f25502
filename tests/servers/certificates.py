"""A certificate authority for tests, and certificates of its own making: nothing else trusts it."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Authority:
    """`file`: its certificate, for `PRESSROOM_CA_FILE`. `folder` holds what it makes."""

    folder: Path
    file: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, folder: Path) -> "Authority":
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _common_name("Pressroom's tests")
        made = _builder(name, name, key)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        signed = made.sign(key, hashes.SHA256())
        file = folder / "authority.pem"
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return cls(folder, file, key, signed)

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Of a server with these names or addresses (default: this machine's), TLS 1.3 alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0  # so that nothing comes back before the first reply
        context.load_cert_chain(self._issue(names or LOOPBACK))
        return context

    def _issue(self, names: tuple[str, ...]) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(_common_name(names[0]), self.certificate.subject, key)
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        signed = made.add_extension(alternatives, critical=False).sign(self.key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file = self.folder / f"{signed.serial_number:x}.pem"
        file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
        return file


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )
