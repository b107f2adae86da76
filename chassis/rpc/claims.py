"""The claims of an access token, and who they say is calling. Identity makes them, every service reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from preceptor.options.v1 import access_pb2

from chassis.rpc.call import Caller

V = TypeVar("V")

_EXPERT = frozenset({"EXPERT"})
_VENDOR = frozenset({"VENDOR"})
_STAFF = frozenset(role.removeprefix("CALLER_") for role in access_pb2.Caller.keys()) - {  # noqa: SIM118 - not a dict
    "UNSPECIFIED",
    "ANYONE",
    "EXPERT",
    "VENDOR",
}


class ClaimsMalformed(ValueError):
    """A claim is missing, of the wrong type, or contradicts another."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says. Times are whole seconds since 1970, UTC."""

    iss: str
    aud: tuple[str, ...]
    exp: int
    iat: int
    nbf: int | None
    caller: Caller


def read_claims(raw: object) -> Claims:
    """The claims by type. Raises `ClaimsMalformed` for a missing or wrong-typed one."""
    if not isinstance(raw, dict):
        raise ClaimsMalformed("not an object")
    return Claims(
        iss=_of(raw, "iss", str),
        aud=_audience(raw.get("aud")),
        exp=_time(raw, "exp"),
        iat=_time(raw, "iat"),
        nbf=_time(raw, "nbf") if "nbf" in raw else None,
        caller=_caller(raw),
    )


def claims_of(caller: Caller) -> dict[str, object]:
    """The claims that tell who is calling: the reverse of reading them."""
    claims: dict[str, object] = {
        "sub": str(caller.subject),
        "sid": str(caller.session_id),
        "kind": caller.kind,
        "roles": sorted(caller.roles),
        "person_id": str(caller.person_id),
    }
    ids = {"vendor_id": caller.vendor_id, "expert_id": caller.expert_id}
    return claims | {name: str(id_) for name, id_ in ids.items() if id_ is not None}


def caller_of(claims: Claims) -> Caller:
    """Who is calling. Raises `ClaimsMalformed` if kind, roles and identities contradict each other."""
    caller = claims.caller
    match caller.kind, caller.expert_id is not None, caller.vendor_id is not None:
        case "expert", True, False:
            fits = caller.roles == _EXPERT
        case "vendor", False, True:
            fits = caller.roles == _VENDOR
        case "staff", False, False:
            fits = bool(caller.roles) and caller.roles <= _STAFF
        case _:
            fits = False
    if not fits:
        raise ClaimsMalformed("kind, roles and identities contradict each other")
    return caller


def _caller(raw: dict[str, object]) -> Caller:
    return Caller(
        subject=_uuid(raw, "sub"),
        kind=_of(raw, "kind", str),
        roles=frozenset(_strings(raw.get("roles"))),
        person_id=_uuid(raw, "person_id"),
        session_id=_uuid(raw, "sid"),
        vendor_id=_uuid(raw, "vendor_id") if "vendor_id" in raw else None,
        expert_id=_uuid(raw, "expert_id") if "expert_id" in raw else None,
    )


def _of(raw: dict[str, object], name: str, type_: type[V]) -> V:
    value = raw.get(name)
    if not isinstance(value, type_):
        raise ClaimsMalformed(name)
    return value


def _time(raw: dict[str, object], name: str) -> int:
    value = raw.get(name)
    # A boolean is an integer to Python, and no fraction or infinity is ever issued.
    if type(value) is not int:
        raise ClaimsMalformed(name)
    return value


def _audience(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else _strings(value)


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ClaimsMalformed("not a list of strings")
    return tuple(value)


def _uuid(raw: dict[str, object], name: str) -> UUID:
    text = _of(raw, name, str)
    try:
        parsed = UUID(text)
    except ValueError as error:
        raise ClaimsMalformed(name) from error
    if str(parsed) != text:
        raise ClaimsMalformed(name)
    return parsed
