"""Access tokens: a genuine one tells who is calling, and each way of being false has its own reason."""

from __future__ import annotations

import hmac
import json
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from chassis.errors import Unauthenticated
from chassis.rpc.call import Caller
from chassis.rpc.claims import claims_of
from chassis.rpc.jwks import KeysUnusable, TokenAlgorithms
from chassis.rpc.signing import SigningKey, TokenSigner, key_id, public_jwk
from chassis.rpc.tokens import TokenVerifier

ISSUER = "preceptor"
Json = dict[str, object]


@dataclass
class Clocks:
    now: float = field(default_factory=time.time)
    ticks: float = 0.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.ticks

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.ticks += seconds


@dataclass
class Desk:
    """A key, its published file, and a verifier that reads it."""

    folder: Path
    key: SigningKey = field(default_factory=lambda: new_key())
    clocks: Clocks = field(default_factory=Clocks)

    def __post_init__(self) -> None:
        self.publish(self.key)
        self.verifier = TokenVerifier(self.public_file, ISSUER, clock=self.clocks.wall, monotonic=self.clocks.monotonic)

    @property
    def public_file(self) -> Path:
        return self.folder / "jwks.json"

    def publish(self, *keys: SigningKey) -> None:
        fresh = self.folder / "jwks.new"
        fresh.write_text(json.dumps({"keys": [public_jwk(key) for key in keys]}))
        fresh.replace(self.public_file)

    def claims(self, caller: Caller | None = None, **changes: object) -> Json:
        now = int(self.clocks.now)
        base = {"iss": ISSUER, "aud": "preceptor", "iat": now, "exp": now + 300, "jti": str(uuid4())}
        return {**base, **claims_of(caller or staff()), **changes}

    def header(self, **changes: object) -> Json:
        return {"alg": "EdDSA", "typ": "at+jwt", "kid": key_id(self.key), **changes}

    def token(self, claims: Json | None = None, header: Json | None = None, key: SigningKey | None = None) -> str:
        return jwt.encode(header or self.header(), claims or self.claims(), key or self.key, registry=TokenAlgorithms())

    def raw(self, header: Json, payload: str) -> str:
        """Signed whatever it says, for what no library would encode."""
        signed = f"{encoded(json.dumps(header))}.{encoded(payload)}"
        assert isinstance(self.key, OKPKey)
        return f"{signed}.{encoded(self.key.get_op_key('sign').sign(signed.encode()))}"  # type: ignore[union-attr]

    def reason(self, token: str) -> str:
        with pytest.raises(Unauthenticated) as refused:
            self.verifier.verify(token)
        return refused.value.reason


def new_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"use": "sig"})


def encoded(value: str | bytes) -> str:
    data = value.encode() if isinstance(value, str) else value
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def staff(*roles: str) -> Caller:
    return Caller(uuid4(), "staff", frozenset(roles or ("OPS",)), uuid4(), uuid4())


def expert() -> Caller:
    return Caller(uuid4(), "expert", frozenset({"EXPERT"}), uuid4(), uuid4(), expert_id=uuid4())


def vendor() -> Caller:
    return Caller(uuid4(), "vendor", frozenset({"VENDOR"}), uuid4(), uuid4(), vendor_id=uuid4())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("make", [staff, expert, vendor])
def test_a_genuine_token_tells_who_is_calling(desk: Desk, make: Callable[[], Caller]) -> None:
    caller = make()
    assert desk.verifier.verify(desk.token(desk.claims(caller))) == caller


def test_what_the_signer_issues_is_verified_by_what_it_publishes(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    private = tmp_path / "private.json"
    private.write_text(json.dumps({"keys": [desk.key.as_dict(private=True, kid=key_id(desk.key))]}))
    signer = TokenSigner(private, ISSUER, timedelta(minutes=5))
    assert json.loads(signer.jwks_json) == json.loads(desk.public_file.read_text())
    caller = expert()
    token, ends = signer.access_token(caller)
    assert desk.verifier.verify(token) == caller
    assert 295 < ends.timestamp() - time.time() <= 300


def test_both_names_of_ed25519_and_es256_are_accepted(desk: Desk) -> None:
    assert desk.verifier.verify(desk.token(header=desk.header(alg="Ed25519")))
    curve = ECKey.generate_key("P-256", {"use": "sig"})
    other = Desk(desk.folder, key=curve)
    assert other.verifier.verify(other.token(header=other.header(alg="ES256")))


def test_a_token_ends_on_time_also_when_it_is_remembered(desk: Desk) -> None:
    token = desk.token()
    desk.verifier.verify(token)
    desk.clocks.pass_(301)
    assert desk.reason(token) == "TOKEN_EXPIRED"
    assert desk.reason(desk.token(desk.claims(exp=int(desk.clocks.now)))) == "TOKEN_EXPIRED"


def test_a_token_from_the_future_is_refused_beyond_a_small_leeway(desk: Desk) -> None:
    now = int(desk.clocks.now)
    assert desk.verifier.verify(desk.token(desk.claims(iat=now + 20)))
    assert desk.reason(desk.token(desk.claims(iat=now + 60))) == "TOKEN_NOT_YET_VALID"
    assert desk.reason(desk.token(desk.claims(nbf=now + 10))) == "TOKEN_NOT_YET_VALID"


def test_a_changed_token_does_not_keep_its_signature(desk: Desk) -> None:
    header, _, signature = desk.token().split(".")
    forged = encoded(json.dumps(desk.claims(staff("ADMIN"))))
    assert desk.reason(f"{header}.{forged}.{signature}") == "TOKEN_SIGNATURE_INVALID"


def test_a_foreign_key_under_our_key_id_is_refused(desk: Desk) -> None:
    assert desk.reason(desk.token(key=new_key())) == "TOKEN_SIGNATURE_INVALID"


def test_foreign_issuers_and_audiences_are_refused(desk: Desk) -> None:
    assert desk.reason(desk.token(desk.claims(iss="https://elsewhere.example"))) == "TOKEN_ISSUER_FOREIGN"
    assert desk.reason(desk.token(desk.claims(aud="another"))) == "TOKEN_AUDIENCE_FOREIGN"
    assert desk.reason(desk.token(desk.claims(aud=["another"]))) == "TOKEN_AUDIENCE_FOREIGN"


def test_alg_none_is_refused(desk: Desk) -> None:
    for alg in ("none", "None", "NONE"):
        unsigned = f"{encoded(json.dumps(desk.header(alg=alg)))}.{encoded(json.dumps(desk.claims()))}."
        assert desk.reason(unsigned) == "TOKEN_KEY_UNKNOWN"


def test_hs256_with_the_public_key_as_secret_is_refused(desk: Desk) -> None:
    signed = f"{encoded(json.dumps(desk.header(alg='HS256')))}.{encoded(json.dumps(desk.claims()))}"
    for secret in (desk.public_file.read_bytes(), str(public_jwk(desk.key)["x"]).encode()):
        forged = f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"
        assert desk.reason(forged) == "TOKEN_KEY_UNKNOWN"


def test_an_algorithm_that_does_not_fit_the_key_is_refused(desk: Desk) -> None:
    assert desk.reason(desk.raw(desk.header(alg="ES256"), json.dumps(desk.claims()))) == "TOKEN_KEY_UNKNOWN"


@pytest.mark.parametrize("typ", ["JWT", "id+jwt", "AT+JWT", None])
def test_other_kinds_of_token_are_refused(desk: Desk, typ: str | None) -> None:
    assert desk.reason(desk.raw(desk.header(typ=typ), json.dumps(desk.claims()))) == "TOKEN_TYPE_FOREIGN"


def test_a_token_cannot_bring_its_own_key(desk: Desk) -> None:
    own = new_key()
    brought = {"jku": "https://evil.example/jwks", "x5u": "https://evil.example/x", "jwk": public_jwk(own)}
    assert desk.reason(desk.token(header=desk.header(**brought), key=own)) == "TOKEN_SIGNATURE_INVALID"
    named = desk.header(**brought, kid=key_id(own))
    assert desk.reason(desk.token(header=named, key=own)) == "TOKEN_KEY_UNKNOWN"
    assert desk.verifier.verify(desk.token(header=desk.header(jku="https://evil.example/jwks")))


def test_a_token_without_key_id_or_with_critical_extensions_is_malformed(desk: Desk) -> None:
    payload = json.dumps(desk.claims())
    assert desk.reason(desk.raw({"alg": "EdDSA", "typ": "at+jwt"}, payload)) == "TOKEN_MALFORMED"
    assert desk.reason(desk.raw(desk.header(kid=7), payload)) == "TOKEN_MALFORMED"
    assert desk.reason(desk.raw(desk.header(crit=["b64"], b64=False), payload)) == "TOKEN_MALFORMED"


def test_a_claim_that_stands_twice_is_malformed(desk: Desk) -> None:
    payload = json.dumps(desk.claims())[:-1] + ', "sub": "' + str(uuid4()) + '"}'
    assert desk.reason(desk.raw(desk.header(), payload)) == "TOKEN_MALFORMED"


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": 1e12},
        {"iat": None},
        {"nbf": "now"},
        {"sub": 7},
        {"sub": "not-a-uuid"},
        {"sid": None},
        {"roles": "OPS"},
        {"roles": [7]},
        {"kind": ["staff"]},
        {"aud": None},
        {"aud": {"preceptor": True}},
        {"person_id": "00000000000000000000000000000001"},
        {"vendor_id": None},
    ],
)
def test_a_missing_or_wrong_typed_claim_is_malformed(desk: Desk, wrong: Json) -> None:
    assert desk.reason(desk.raw(desk.header(), json.dumps(desk.claims() | wrong))) == "TOKEN_MALFORMED"


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (expert, {"roles": ["EXPERT", "ADMIN"]}),
        (expert, {"roles": []}),
        (expert, {"kind": "staff"}),
        (expert, {"vendor_id": str(uuid4())}),
        (vendor, {"roles": ["FINANCE"]}),
        (vendor, {"kind": "expert"}),
        (staff, {"roles": ["EXPERT"]}),
        (staff, {"roles": ["ANYONE"]}),
        (staff, {"roles": []}),
        (staff, {"kind": "vendor"}),
        (staff, {"kind": "service"}),
    ],
)
def test_kind_roles_and_identities_must_agree(desk: Desk, make: Callable[[], Caller], wrong: Json) -> None:
    assert desk.reason(desk.token({**desk.claims(make()), **wrong})) == "TOKEN_CLAIMS_INCONSISTENT"


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b", "a.b.c.d", "é.é.é", "\ud800", "A" * 20_000, "W10.W10.AA", "1.2.3"]
)
def test_rubbish_is_malformed(desk: Desk, text: str) -> None:
    assert desk.reason(text) == "TOKEN_MALFORMED"


def test_a_token_of_a_withdrawn_key_is_refused_within_a_second(desk: Desk) -> None:
    token, following = desk.token(), new_key()
    desk.verifier.verify(token)
    desk.publish(following)
    desk.clocks.pass_(1)
    assert desk.reason(token) == "TOKEN_KEY_UNKNOWN"
    assert desk.verifier.verify(desk.token(header=desk.header(kid=key_id(following)), key=following))


def test_keys_overlap_while_they_rotate(desk: Desk) -> None:
    old, following = desk.token(), new_key()
    desk.publish(desk.key, following)
    desk.clocks.pass_(1)
    assert desk.verifier.verify(old)
    assert desk.verifier.verify(desk.token(header=desk.header(kid=key_id(following)), key=following))


def test_an_unknown_key_makes_the_file_be_read_at_once_but_not_for_each_stranger(desk: Desk) -> None:
    first, second = new_key(), new_key()
    desk.clocks.ticks += 5
    desk.verifier.verify(desk.token())
    desk.publish(desk.key, first)
    assert desk.verifier.verify(desk.token(header=desk.header(kid=key_id(first)), key=first))
    desk.publish(desk.key, first, second)
    named = desk.header(kid=key_id(second))
    assert desk.reason(desk.token(header=named, key=second)) == "TOKEN_KEY_UNKNOWN"
    desk.clocks.pass_(5)
    assert desk.verifier.verify(desk.token(header=named, key=second))


def test_a_broken_key_file_leaves_the_old_keys(desk: Desk) -> None:
    desk.public_file.write_text("{")
    desk.clocks.pass_(1)
    assert desk.verifier.verify(desk.token())
    desk.public_file.unlink()
    desk.clocks.pass_(1)
    assert desk.verifier.verify(desk.token())


def test_a_file_with_private_or_symmetric_keys_is_no_public_key_set(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    private = {**new_key().as_dict(private=True), "kid": "a"}
    for keys in ([private], [{"kty": "oct", "k": "AAAA", "kid": "a"}], [], [{"kty": "OKP"}], "keys"):
        path.write_text(json.dumps({"keys": keys}))
        with pytest.raises(KeysUnusable):
            TokenVerifier(path, ISSUER)


def test_remembered_tokens_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.rpc.tokens._MOST_REMEMBERED", 3)
    for _ in range(5):
        desk.verifier.verify(desk.token())
    assert len(desk.verifier._remembered) == 3


def test_a_hot_token_is_not_verified_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    token = desk.token()
    caller = desk.verifier.verify(token)
    monkeypatch.setattr("chassis.rpc.tokens.jws.deserialize_compact", lambda *_, **__: os.abort())
    assert desk.verifier.verify(token) is caller
