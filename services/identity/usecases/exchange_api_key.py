"""Exchanges a vendor's API key for an access token, so that the other services see short-lived tokens only."""

from __future__ import annotations

from asyncpg import Record

from chassis.db import Transaction
from chassis.rpc.call import Caller
from services.identity.context import Context
from services.identity.domain.api_key import ApiKey, ApiKeyForeign, ApiKeyInvalid, StoredKey
from services.identity.domain.vendor import Vendor
from services.identity.usecases.open_session import Tokens

_FIND = """
SELECT k.id AS api_key_id, k.secret_hash, k.expires_at, k.revoked_at, clock_timestamp() AS now,
       v.id, v.display_name, v.status, v.version
FROM api_key k JOIN vendor v ON v.id = k.vendor_id
WHERE k.key_id = $1
"""

# Coarse on purpose: a write for each exchange would tell nobody more.
_USED = """
UPDATE api_key SET last_used_at = now()
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 hour')
"""


async def exchange_api_key(tx: Transaction, context: Context, text: str) -> Tokens:
    """An access token for the key's vendor.

    Raises `ApiKeyMalformed`, `ApiKeyForeign`, `ApiKeyInvalid`, `ApiKeyRevoked`, `ApiKeyExpired`, `VendorSuspended`.
    """
    key = ApiKey.parse(text)
    if key.environment != context.settings.environment:
        raise ApiKeyForeign(environment=key.environment)
    row = await tx.fetchrow(_FIND, key.key_id)
    if row is None:
        raise ApiKeyInvalid
    StoredKey(row["secret_hash"], row["expires_at"], row["revoked_at"]).check(key, row["now"])
    vendor = Vendor(row["id"], row["display_name"], row["status"], row["version"])
    vendor.check_active()
    await tx.execute(_USED, row["api_key_id"])
    return _tokens(context, vendor, row)


def _tokens(context: Context, vendor: Vendor, row: Record) -> Tokens:
    # The vendor is the subject, so that a request repeated under its next key is still the same request. The key is the
    # session: what it does can be traced to it and ends with it.
    caller = Caller(
        subject=vendor.id,
        kind="vendor",
        roles=frozenset({"VENDOR"}),
        person_id=vendor.id,
        session_id=row["api_key_id"],
        vendor_id=vendor.id,
    )
    access_token, ends = context.signer.access_token(caller)
    return Tokens(access_token, ends, vendor_id=vendor.id)
