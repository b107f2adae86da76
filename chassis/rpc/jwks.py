"""The public keys of access tokens: a JSON Web Key Set in a mounted file, read again when the file changes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import JWSRegistry

from chassis.errors import FailedPrecondition

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 1.0
# A stranger may invent key ids at will: each invented one must not become a read of the file.
_REREAD_SECONDS = 5.0

VerifyKey = OKPKey | ECKey
_Stamp = tuple[int, int, int]


class KeysUnusable(FailedPrecondition):
    """The file is no key set for access tokens: write it anew with `python -m services.identity generate-keys`."""

    reason = "KEYS_UNUSABLE"


class TokenAlgorithms(JWSRegistry):
    """The algorithms that access tokens may be signed with. EdDSA is the old name of Ed25519, and only that curve."""

    algorithms = {  # noqa: RUF012 - the base class states it without ClassVar
        "EdDSA": JWSRegistry.algorithms["Ed25519"],
        "Ed25519": JWSRegistry.algorithms["Ed25519"],
        "ES256": JWSRegistry.algorithms["ES256"],
    }

    def __init__(self) -> None:
        super().__init__(algorithms=tuple(self.algorithms), strict_check_header=False)


class KeyFile:
    """The keys by id. The file is looked at once a second at most; one that cannot be used leaves the old keys."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads the file; `clock` gives seconds. Raises `KeysUnusable`."""
        self._path = path
        self._clock = clock
        self.generation = 0
        """Rises when the keys change: what was verified by the old ones must be verified again."""
        self._stamp = _stamp(path)
        self._keys = read_public_keys(path)
        self._looked = self._reread = clock()

    def look(self) -> None:
        """Takes the file as it is now, if the last look is a second old."""
        now = self._clock()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            if _stamp(self._path) != self._stamp:
                self._read_again()

    def find(self, kid: str) -> VerifyKey | None:
        """The key with this id. For an unknown one the file is read again, once in five seconds at most."""
        if kid not in self._keys and self._clock() - self._reread >= _REREAD_SECONDS:
            self._reread = self._clock()
            self._read_again()
        return self._keys.get(kid)

    def _read_again(self) -> None:
        stamp = _stamp(self._path)
        try:
            keys = read_public_keys(self._path)
        except KeysUnusable as error:
            _log.error("token_keys_not_taken", file=str(self._path), reason=error.reason)
            return
        self._stamp = stamp
        if _thumbprints(keys) != _thumbprints(self._keys):
            self._keys, self.generation = keys, self.generation + 1
            _log.info("token_keys_changed", kids=sorted(keys))


def read_public_keys(path: Path) -> Mapping[str, VerifyKey]:
    """The keys of a public key set by id. Raises `KeysUnusable`, also for one that holds private keys."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["keys"]
        keys = {str(jwk["kid"]): _public_key(jwk) for jwk in listed}
    except (OSError, ValueError, TypeError, LookupError, JoseError) as error:
        raise KeysUnusable(file=str(path)) from error
    if not keys or len(keys) != len(listed):
        raise KeysUnusable(f"{path} has no keys, or two with one id.", file=str(path))
    return keys


def _public_key(jwk: dict[str, str | list[str]]) -> VerifyKey:
    """One key of a kind that the allowed algorithms use. Raises `ValueError` for others: a secret is no public key."""
    # The curve alone decides on the algorithm, whichever of its names the file states.
    bare = {name: value for name, value in jwk.items() if name not in ("alg", "key_ops")}
    match jwk.get("kty"), jwk.get("crv"), "d" in jwk:
        case "OKP", "Ed25519", False:
            return OKPKey.import_key(bare)
        case "EC", "P-256", False:
            return ECKey.import_key(bare)
    raise ValueError("not a public key on Ed25519 or P-256")


def _thumbprints(keys: Mapping[str, VerifyKey]) -> dict[str, str]:
    return {kid: key.thumbprint() for kid, key in keys.items()}


def _stamp(path: Path) -> _Stamp | None:
    """What changes when the file does: mounted secrets are swapped by a link, editors write in place."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
