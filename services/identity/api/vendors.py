"""VendorService."""

from __future__ import annotations

from preceptor.identity.v1 import vendor_pb2 as pb
from preceptor.identity.v1.events_pb2 import VendorStatus

from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from services.identity.context import Context
from services.identity.domain.vendor import Vendor
from services.identity.usecases import create_api_key as keys
from services.identity.usecases import create_vendor as creation
from services.identity.usecases import get_vendor as lookup
from services.identity.usecases import revoke as revocation


async def create_vendor(call: Call[Context], request: pb.CreateVendorRequest) -> pb.CreateVendorResponse:
    """Makes a vendor."""
    vendor = await creation.create_vendor(call.tx, request.display_name)
    return pb.CreateVendorResponse(vendor=_message(vendor))


async def get_vendor(call: Call[Context], request: pb.GetVendorRequest) -> pb.GetVendorResponse:
    """Gives a vendor: to itself, or to staff."""
    vendor_id = call.vendor(parse_name("vendors", request.name, "name"))
    return pb.GetVendorResponse(vendor=_message(await lookup.get_vendor(call.tx, vendor_id)))


async def create_api_key(call: Call[Context], request: pb.CreateApiKeyRequest) -> pb.CreateApiKeyResponse:
    """Makes an API key for a vendor; the response is the only place where it stands."""
    vendor_id = call.vendor(parse_name("vendors", request.vendor, "vendor"))
    made = await keys.create_api_key(call.tx, call.context, vendor_id, request.display_name, call.caller.subject)
    response = pb.CreateApiKeyResponse(name=name("apiKeys", made.id), api_key=made.key.text)
    response.expire_time.FromDatetime(made.expires_at)
    return response


async def revoke_api_key(call: Call[Context], request: pb.RevokeApiKeyRequest) -> pb.RevokeApiKeyResponse:
    """Revokes an API key."""
    key_id, by = parse_name("apiKeys", request.name, "name"), call.caller.subject
    revoked_at = await revocation.revoke_api_key(call.tx, call.context, key_id, request.reason, by)
    response = pb.RevokeApiKeyResponse()
    response.revoke_time.FromDatetime(revoked_at)
    return response


def _message(vendor: Vendor) -> pb.Vendor:
    return pb.Vendor(
        name=name("vendors", vendor.id),
        display_name=vendor.display_name,
        status=VendorStatus.Value(f"VENDOR_STATUS_{vendor.status}"),
        version=vendor.version,
    )
