"""A vendor and an expert on a running platform, with something of everything that can be theirs."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from preceptor.identity.v1 import account_pb2, vendor_pb2
from preceptor.identity.v1.events_pb2 import VENDOR_STATUS_ACTIVE, VendorChanged
from preceptor.work.v1.work_pb2 import Question, Questions

from chassis.db import Scope
from chassis.ids import name, new_id, parse_name
from chassis.rpc.call import Caller
from chassis.rpc.paging import Pager
from chassis.settings import load
from services.tasking.context import Context
from services.tasking.reactions.on_expert_changed import react as on_expert_changed
from services.tasking.reactions.on_vendor_changed import react as on_vendor_changed
from services.tasking.settings import TaskingSettings
from tests.support.calls import bearer, invoke
from tests.support.platform import Live, expert, staff, vendor
from tests.support.tasking import World, expert_changed

_OPEN = """
UPDATE batch SET state = 3, rate_card_version = 1, currency = 'USD', price_minor = 150, fee_basis_points = 0,
                 reserved_minor = 100000
WHERE batch_id = $1
"""

_SCORED = """
WITH project AS (INSERT INTO project_state (project_id, vendor_id, task_type, domain) VALUES ($3, $2, 1, 1)),
     rescore AS (INSERT INTO rescore (rescore_id, project_id, vendor_id, requested_by) VALUES ($5, $3, $2, 'staff'))
INSERT INTO task_state (task_id, vendor_id, project_id, batch_id, task_type, domain, min_answers, max_answers,
                        stop_confidence, questions, version, verdict, updated_at)
VALUES ($1, $2, $3, $4, 1, 1, 2, 5, 0.9, $6, 1, 1, now())
"""


@dataclass(frozen=True)
class Tenant:
    """A vendor and an expert; `owned` are names of what is theirs, by collection."""

    vendor: Caller
    expert: Caller
    owned: dict[str, str]
    fencing_token: int


async def settle(live: Live) -> Tenant:
    """Makes the two and what they own: project, batch, task, slot, consensus and rescore."""
    vendor_name, expert_name = await _make_vendor(live), await _register(live)
    vendor_id = parse_name("vendors", vendor_name, "name")
    expert_id = parse_name("experts", expert_name, "name")
    async with live.database("tasking") as database:
        world = World(database, Context(load(TaskingSettings), Pager(bytes(32))), vendor_id)
        changed = VendorChanged(vendor_id=str(vendor_id), version=1, status=VENDOR_STATUS_ACTIVE)
        await world.react(on_vendor_changed, changed)
        await world.publish_rates()
        project_id = await world.project()
        batch_id = await world.staged(3, project_id)
        await world.rows(_OPEN, batch_id)
        await world.react(on_expert_changed, expert_changed(expert_id))
        slot = await world.claim(expert_id, project_id)
        assert slot is not None
    ids = {"projects": slot["project_id"], "batches": batch_id, "tasks": slot["task_id"], "slots": slot["slot_id"]}
    ids["rescores"] = await _score(live, ids, vendor_id)
    owned = {collection: name(collection, id_) for collection, id_ in ids.items()}
    owned |= {"vendors": vendor_name, "experts": expert_name}
    return Tenant(vendor(vendor_id), expert(expert_id), owned, slot["fencing_token"])


async def _make_vendor(live: Live) -> str:
    channel, method = live.method("/preceptor.identity.v1.VendorService/CreateVendor")
    request = vendor_pb2.CreateVendorRequest(display_name="Somebody else")
    raw = await invoke(channel, method, request, bearer(live.token(staff("ADMIN"))))
    return vendor_pb2.CreateVendorResponse.FromString(raw).vendor.name


async def _register(live: Live) -> str:
    channel, method = live.method("/preceptor.identity.v1.AccountService/RegisterExpert")
    request = account_pb2.RegisterExpertRequest(
        email=f"{uuid4().hex}@experts.example", password="correct horse", display_name="Bea", locales=["en"]
    )
    return account_pb2.RegisterExpertResponse.FromString(await invoke(channel, method, request)).expert


async def _score(live: Live, ids: dict[str, UUID], vendor_id: UUID) -> UUID:
    """Tells scoring of the task; returns the id of a rescore of its project."""
    asked, rescore_id = Questions(questions=[Question(id="preference")]).SerializeToString(), new_id()
    async with live.database("scoring") as database, database.transaction(Scope.service()) as tx:
        await tx.execute(_SCORED, ids["tasks"], vendor_id, ids["projects"], ids["batches"], rescore_id, asked)
    return rescore_id
