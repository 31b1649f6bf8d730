"""Certificates that are right in themselves and wrong for the server that shows them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

HOST: Final = "127.0.0.1"
RSA: Final = trustme.KeyType.RSA
"""vsftpd's own choice of ciphers for TLS 1.2 takes no other keys."""


def good(authority: trustme.CA) -> bytes:
    return _issued(authority.issue_cert(HOST, key_type=RSA))


def wrong_host(authority: trustme.CA) -> bytes:
    return _issued(authority.issue_cert("ftp.example.org", key_type=RSA))


def expired(authority: trustme.CA) -> bytes:
    return _issued(authority.issue_cert(HOST, not_after=datetime.now(UTC) - timedelta(days=1), key_type=RSA))


def unknown_authority(_: trustme.CA) -> bytes:
    return _issued(trustme.CA().issue_cert(HOST, key_type=RSA))


def self_signed(_: trustme.CA) -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return secret + certificate.public_bytes(serialization.Encoding.PEM)


WRONG: Final[dict[str, Callable[[trustme.CA], bytes]]] = {
    "of another host": wrong_host,
    "expired": expired,
    "self-signed": self_signed,
    "of an unknown authority": unknown_authority,
}


def store(folder: Path, name: str, pem: bytes) -> Path:
    """Key and certificate in one file, for the eyes of the server alone."""
    path = folder / f"{name}.pem"
    path.write_bytes(pem)
    path.chmod(0o600)
    return path


def fingerprint(path: Path) -> str:
    """SHA-256 of the first certificate in a file, with colons: found here by other means than the product's."""
    loaded = x509.load_pem_x509_certificates(path.read_bytes())[0]
    return loaded.fingerprint(hashes.SHA256()).hex(":").upper()


def _issued(leaf: trustme.LeafCert) -> bytes:
    return leaf.private_key_pem.bytes() + b"".join(part.bytes() for part in leaf.cert_chain_pems)
