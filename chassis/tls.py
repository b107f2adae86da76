"""TLS is whole or not there at all: the other side proves by certificate who it is, and nothing falls back to less."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic import AfterValidator, FilePath

_VERIFIED, _PLAIN = "verify-full", "disable"


def _holds_certificates(file: Path) -> Path:
    """Refuses what is no set of certificates: a client would say so much later, and less clearly."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} must hold the certificates of CAs as PEM") from error
    return file


CaFile = Annotated[FilePath, AfterValidator(_holds_certificates)]
"""PEM with the CAs that the other side's certificate must come from."""


def check_pair(certificate: Path, key: Path) -> None:
    """Raises `ValueError` unless the files are a certificate (with its chain) and its key without a passphrase."""
    try:
        # Without an answer OpenSSL would ask the terminal for a passphrase.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise ValueError(f"{certificate} and {key} must be a certificate and its key, as PEM, no passphrase") from error


def checked_url(url: str, ca_file: Path | None = None) -> str:
    """A database's URL whose TLS, in libpq's parameters, is whole or off; with `ca_file` it is on.

    Given neither a CA nor a parameter the URL stays as it is. Raises `ValueError` for what looks like protection and is
    none: encryption without a proof of who answers, a CA that nobody asks about, a CA beside `disable`.
    """
    parts = urlsplit(url)
    told = parse_qsl(parts.query, keep_blank_values=True)
    tls = {name: value for name, value in told if name.startswith("ssl")}
    if len(tls) < sum(name in tls for name, _ in told):
        raise ValueError("must say each parameter of TLS once")
    if not tls and ca_file is None:
        return url
    if tls.get("sslmode", _VERIFIED if ca_file else "") == _VERIFIED:
        whole = {"sslmode": _VERIFIED, **({"sslrootcert": str(ca_file)} if ca_file else {}), **tls}
        _check_files(whole)
        kept = [(name, value) for name, value in told if name not in tls]
        return urlunsplit(parts._replace(query=urlencode([*kept, *whole.items()], quote_via=quote, safe="/")))
    if tls == {"sslmode": _PLAIN} and ca_file is None:
        return url
    raise ValueError("must say sslmode=verify-full and sslrootcert=FILE (other modes do not prove who answers)")


def _check_files(parameters: dict[str, str]) -> None:
    if "sslrootcert" not in parameters:
        raise ValueError("must say sslrootcert=FILE beside sslmode=verify-full")
    _holds_certificates(Path(parameters["sslrootcert"]))
    certificate, key = parameters.get("sslcert"), parameters.get("sslkey")
    if (certificate is None) != (key is None):
        raise ValueError("must say both sslcert and sslkey, or neither")
    if certificate and key:
        check_pair(Path(certificate), Path(key))
