"""What the platform's own people do before work can begin: accounts, a vendor, rates, a deposit, verified experts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from google.type.money_pb2 import Money
from preceptor.identity.v1 import (
    account_pb2,
    account_pb2_grpc,
    expert_pb2,
    expert_pb2_grpc,
    vendor_pb2,
    vendor_pb2_grpc,
)
from preceptor.payouts.v1 import events_pb2, funding_pb2, funding_pb2_grpc, rate_card_pb2, rate_card_pb2_grpc
from preceptor.work.v1 import work_pb2

from clients.session import Session
from deploy.local.main_job.waiting import once_known, patient

CURRENCY = "USD"
# Minor units an hour, per tier.
_TIERS = {"G1": 5_000, "G2": 7_500, "P1": 10_500, "P2": 17_500, "M1": 20_000, "M2": 25_000, "M3": 35_000}
_FEE_BASIS_POINTS = 1_500


@dataclass(frozen=True, slots=True)
class Staff:
    """Signed-in members of staff."""

    admin: Session
    finance: Session
    reviewer: Session
    quality: Session
    ops: Session
    sign_ins: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """Who -> the request that signs them in."""


@dataclass(frozen=True, slots=True)
class NewVendor:
    """A vendor with its key, and the rate card it will be charged by."""

    name: str
    api_key: str = field(repr=False)
    rate_card: str = ""


async def hire(admin: Session, addresses: Mapping[str, str], run: str) -> Staff:
    """Makes and signs in a finance person, a credential reviewer, a quality reviewer and an operator."""
    roles = {
        "finance": account_pb2.STAFF_ROLE_FINANCE,
        "reviewer": account_pb2.STAFF_ROLE_CREDENTIAL_REVIEWER,
        "quality": account_pb2.STAFF_ROLE_QUALITY_REVIEWER,
        "ops": account_pb2.STAFF_ROLE_OPS,
    }
    members = {who: await _member(admin, addresses, f"{who}-{run}", role) for who, role in roles.items()}
    sign_ins = {who: sign_in for who, (_, sign_in) in members.items()}
    return Staff(admin, **{who: session for who, (session, _) in members.items()}, sign_ins=sign_ins)


async def _member(
    admin: Session, addresses: Mapping[str, str], who: str, role: account_pb2.StaffRole.ValueType
) -> tuple[Session, dict[str, str]]:
    """A new member of staff, signed in, and the request that signs them in."""
    email, password = f"{who}@preceptor.example", secrets.token_urlsafe(16)
    request = account_pb2.CreateStaffRequest(email=email, password=password, display_name=who, roles=[role])
    await account_pb2_grpc.AccountServiceStub(admin.channel("identity")).CreateStaff(
        request, metadata=await admin.auth()
    )
    session = patient(addresses)
    await session.sign_in(email, password)
    return session, {"email": email, "password": password}


async def take_on_vendor(staff: Staff, display_name: str, deposit_minor: int) -> NewVendor:
    """Makes a vendor with an API key, publishes rates, and books the vendor's deposit."""
    vendors = vendor_pb2_grpc.VendorServiceStub(staff.admin.channel("identity"))
    auth = await staff.admin.auth()
    made = await vendors.CreateVendor(vendor_pb2.CreateVendorRequest(display_name=display_name), metadata=auth)
    vendor = made.vendor.name
    key = await vendors.CreateApiKey(
        vendor_pb2.CreateApiKeyRequest(vendor=vendor, display_name="main job"), metadata=auth
    )
    rate_card = await _publish_rates(staff.finance)
    await once_known(
        "payouts knows the vendor", lambda: _deposit(staff.finance, vendor, deposit_minor), "VENDOR_NOT_KNOWN"
    )
    return NewVendor(vendor, key.api_key, rate_card)


async def _publish_rates(finance: Session) -> str:
    card = rate_card_pb2.RateCard(
        currency=CURRENCY,
        tiers=[events_pb2.TierRate(tier=tier, rate_minor_per_hour=rate) for tier, rate in _TIERS.items()],
        fee_basis_points=_FEE_BASIS_POINTS,
    )
    published = await rate_card_pb2_grpc.RateCardServiceStub(finance.channel("payouts")).PublishRateCard(
        rate_card_pb2.PublishRateCardRequest(rate_card=card, request_id=str(uuid4())), metadata=await finance.auth()
    )
    return published.rate_card.name


async def _deposit(finance: Session, vendor: str, minor: int) -> None:
    amount = Money(currency_code=CURRENCY, units=minor // 100, nanos=minor % 100 * 10_000_000)
    request = funding_pb2.DepositFundsRequest(
        vendor=vendor, amount=amount, bank_reference=f"WIRE-{uuid4().hex[:12]}", request_id=str(uuid4())
    )
    funding = funding_pb2_grpc.FundingServiceStub(finance.channel("payouts"))
    await funding.DepositFunds(request, metadata=await finance.auth())


async def attest(staff: Staff, expert: str, claims: Sequence[tuple[str, str]]) -> None:
    """Attests claims about an expert, and that money may be sent to them."""
    request = expert_pb2.AttestExpertRequest(
        name=expert,
        claims=[work_pb2.Claim(kind=kind, value=value) for kind, value in claims],
        payout_eligible=True,
        request_id=str(uuid4()),
    )
    experts = expert_pb2_grpc.ExpertServiceStub(staff.reviewer.channel("identity"))
    await experts.AttestExpert(request, metadata=await staff.reviewer.auth())
