"""A certificate authority in a folder, made anew for each run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; who trusts it is given `ca_file`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        """Makes the authority. All its files lie in `folder`."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _named(name)
        mine = _begun(self._subject, self._subject, self._key.public_key())
        mine = mine.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.ca_file = self._folder / f"{name}.pem"
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file.write_bytes(self._signed(mine))

    def issue(self, name: str, *addresses: str) -> Pair:
        """A certificate for a server at these IP addresses, or, without any, for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        new = _begun(_named(name), self._subject, key.public_key())
        if addresses:
            reached = [x509.IPAddress(ip_address(address)) for address in addresses]
            new = new.add_extension(x509.SubjectAlternativeName(reached), critical=False)
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        pair.certificate.write_bytes(self._signed(new))
        pair.key.touch(mode=0o600)
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pair.key.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
        return pair

    def _signed(self, new: x509.CertificateBuilder) -> bytes:
        return new.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
    )
