"""The certificate of an FTP server: verifies it, and shows an untrusted one to a human without a login."""

import asyncio
import hashlib
import ssl
from pathlib import Path

import aioftp

from cpimportd.core.phrases import Reason, phrase
from cpimportd.source.address import Address
from cpimportd.source.client import Client

# Of OpenSSL's verification errors (X509_V_ERR_…, openssl-verification-options(1)) those that mean an unknown issuer.
_UNKNOWN_ISSUER = frozenset((2, 18, 19, 20, 21))


def context(authority: Path | None, *, pinned: bool) -> ssl.SSLContext:
    """What is asked of a server's certificate.

    Args:
        authority: trusted besides the system's; a file of certificates in PEM.
        pinned: nothing is asked here, for the caller compares the certificate with a fingerprint, which proves more
            than any authority's word.

    Raises:
        OSError: the authority's file cannot be read, or (as ssl.SSLError, one of its kinds) holds no certificate.
    """
    made = ssl.create_default_context()
    if pinned:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif authority is not None:
        made.load_verify_locations(cafile=authority)
    return made


def fingerprint(certificate: bytes | None) -> str:
    """SHA-256 of a certificate in DER, as ``openssl x509 -fingerprint -sha256`` writes it; empty if there is none."""
    return hashlib.sha256(certificate).digest().hex(":").upper() if certificate else ""


async def presented_fingerprint(address: Address, seconds: float) -> str:
    """The fingerprint of the server's certificate; no login, no password.

    Needed because a handshake that fails verification does not return the certificate. Never raises.

    Args:
        address: of the server.
        seconds: the limit of the whole.

    Returns:
        The fingerprint; empty if the certificate could not be had.
    """
    client = Client(connect_timeout=seconds, socket_timeout=seconds)
    try:
        async with asyncio.timeout(seconds):
            await client.reach(address.host, address.port)
            await client.greeting()
            await client.tls_handshake(context(None, pinned=True))
            return fingerprint(client.certificate())
    except (OSError, aioftp.AIOFTPException, ValueError, IndexError):
        return ""
    finally:
        client.abort()


async def speaks_tls(address: Address, seconds: float) -> bool:
    """Whether the server expects TLS from the first byte (implicit FTPS); no login. Never raises.

    Such a server waits for us while we wait for its greeting, so a timeout alone does not show the cause.

    Args:
        address: of the server.
        seconds: the limit of the whole.
    """
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(address.host, address.port, ssl=context(None, pinned=True))
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # it wants another version or a certificate of ours, and says so in TLS
    except OSError:
        return False
    writer.transport.abort()
    return True


def explain_distrust(error: ssl.SSLCertVerificationError, shown_fingerprint: str) -> Reason:
    """Why a certificate is not trusted, its fingerprint, and how to trust it.

    Args:
        error: of the verification.
        shown_fingerprint: of the certificate; empty if it is not known.
    """
    why = error.verify_message or str(error)
    if not shown_fingerprint:
        return why
    code = "distrusted-pin-or-name" if error.verify_code in _UNKNOWN_ISSUER else "distrusted-pin"
    return phrase(code, said=why, fingerprint=shown_fingerprint)
