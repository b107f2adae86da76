"""Nobody reaches what is another's, by any method that takes a name, nor learns whether there is such a thing."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import cast
from uuid import uuid4

import pytest
import pytest_asyncio
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from preceptor.identity.v1 import expert_pb2, vendor_pb2
from preceptor.payouts.v1 import earning_pb2, funding_pb2
from preceptor.scoring.v1 import consensus_pb2, skill_pb2
from preceptor.tasking.v1 import batch_pb2, project_pb2, work_pb2
from preceptor.work.v1.work_pb2 import QuestionDecision, TimeSpent

from tests.contract.permissions import every_policy
from tests.support.calls import Refusal, bearer, invoke, outcome
from tests.support.platform import Live, expert, vendor
from tests.support.tasking import answer
from tests.support.tenant import Tenant, settle

OWNED = {"VENDOR": {"vendors", "projects", "batches", "tasks", "rescores"}, "EXPERT": {"experts", "slots"}}
"""What belongs to whom, by collection."""
# Scoring does not know of a vendor's own before the first answer: it cannot say more than that it knows nothing.
REASONS = {
    "GetConsensus": "CONSENSUS_NOT_FOUND",
    "ExplainConsensus": "CONSENSUS_NOT_FOUND",
    "GetAgreement": "PROJECT_NOT_SCORED",
    "RescoreProject": "PROJECT_NOT_SCORED",
    "GetRescore": "RESCORE_NOT_FOUND",
}

Ask = Callable[[str, int], Message]
"""A request that is good but for the name in it, for a name and a fencing token."""

ASK: dict[str, Ask] = {
    "identity.v1.VendorService/GetVendor": lambda name, _: vendor_pb2.GetVendorRequest(name=name),
    "identity.v1.ExpertService/GetExpert": lambda name, _: expert_pb2.GetExpertRequest(name=name),
    "identity.v1.ExpertService/SetLocales": lambda name, _: expert_pb2.SetLocalesRequest(name=name, locales=["en"]),
    "tasking.v1.ProjectService/GetProject": lambda name, _: project_pb2.GetProjectRequest(name=name),
    "tasking.v1.BatchService/UploadBatch": lambda name, _: batch_pb2.UploadBatchRequest(
        header=batch_pb2.UploadHeader(project=name, batch_key="b")
    ),
    "tasking.v1.BatchService/OpenBatch": lambda name, _: batch_pb2.OpenBatchRequest(name=name, request_id=str(uuid4())),
    "tasking.v1.BatchService/GetBatch": lambda name, _: batch_pb2.GetBatchRequest(name=name),
    "tasking.v1.BatchService/ListResults": lambda name, _: batch_pb2.ListResultsRequest(parent=name),
    "tasking.v1.BatchService/DecideQuestions": lambda name, _: batch_pb2.DecideQuestionsRequest(
        task=name, decisions=[QuestionDecision(question="c1", label="SUPPORTED")]
    ),
    "tasking.v1.WorkService/Heartbeat": lambda name, fence: work_pb2.HeartbeatRequest(slot=name, fencing_token=fence),
    "tasking.v1.WorkService/SaveDraft": lambda name, fence: work_pb2.SaveDraftRequest(
        slot=name, fencing_token=fence, draft=answer()
    ),
    "tasking.v1.WorkService/SubmitAnswer": lambda name, fence: work_pb2.SubmitAnswerRequest(
        slot=name, fencing_token=fence, answer=answer(), time_spent=TimeSpent(), request_id=str(uuid4())
    ),
    "tasking.v1.WorkService/ReturnTask": lambda name, fence: work_pb2.ReturnTaskRequest(slot=name, fencing_token=fence),
    "scoring.v1.ConsensusService/GetConsensus": lambda name, _: consensus_pb2.GetConsensusRequest(task=name),
    "scoring.v1.ConsensusService/ExplainConsensus": lambda name, _: consensus_pb2.ExplainConsensusRequest(task=name),
    "scoring.v1.ConsensusService/GetAgreement": lambda name, _: consensus_pb2.GetAgreementRequest(project=name),
    "scoring.v1.ConsensusService/RescoreProject": lambda name, _: consensus_pb2.RescoreProjectRequest(
        project=name, request_id=str(uuid4())
    ),
    "scoring.v1.ConsensusService/GetRescore": lambda name, _: consensus_pb2.GetRescoreRequest(name=name),
    "scoring.v1.SkillService/GetSkills": lambda name, _: skill_pb2.GetSkillsRequest(expert=name),
    "payouts.v1.FundingService/GetFunds": lambda name, _: funding_pb2.GetFundsRequest(vendor=name, currency="USD"),
    "payouts.v1.FundingService/ListDeposits": lambda name, _: funding_pb2.ListDepositsRequest(parent=name),
    "payouts.v1.EarningService/ListEarnings": lambda name, _: earning_pb2.ListEarningsRequest(parent=name),
    "payouts.v1.EarningService/GetBalance": lambda name, _: earning_pb2.GetBalanceRequest(expert=name, currency="USD"),
    "payouts.v1.EarningService/SetInstrument": lambda name, _: earning_pb2.SetInstrumentRequest(
        expert=name, destination="acct_of_a_thief", currency="USD", request_id=str(uuid4())
    ),
    "payouts.v1.EarningService/ListPayouts": lambda name, _: earning_pb2.ListPayoutsRequest(parent=name),
}


def methods_of_owners() -> dict[str, tuple[str, str]]:
    """Each method that an owner may call with a name of something owned: path -> (owner, collection)."""
    found = {}
    for policy in every_policy():
        names = set(collections(cast(Descriptor, policy.request_class.DESCRIPTOR))) & OWNED.get(policy.owner, set())
        if names and policy.owner in policy.callers:
            found[policy.path.removeprefix("/preceptor.")] = (policy.owner, names.pop())
    return found


def collections(message: Descriptor) -> Iterator[str]:
    """The collections that a request's fields name things of, by the rules on the fields."""
    for field in message.fields:
        if (inner := field.message_type) is not None and inner.file.package.startswith("preceptor."):
            yield from collections(inner)
        elif named := re.match(r"\^(\w+)/", field.GetOptions().Extensions[validate_pb2.field].string.pattern):
            yield named[1]


METHODS = [pytest.param(*of, path, id=path) for path, of in methods_of_owners().items()]


@pytest_asyncio.fixture(scope="module")
async def other(live: Live) -> AsyncIterator[Tenant]:
    """The tenant whose things are asked for."""
    yield await settle(live)


def test_every_method_that_takes_a_name_of_something_owned_is_asked() -> None:
    assert ASK.keys() == methods_of_owners().keys()


@pytest.mark.parametrize(("owner", "collection", "path"), METHODS)
async def test_another_s_is_refused_like_what_is_not_there(
    live: Live, other: Tenant, owner: str, collection: str, path: str
) -> None:
    stranger = live.token(vendor() if owner == "VENDOR" else expert())
    existing, missing = other.owned[collection], f"{collection}/{uuid4()}"

    said = [await ask(live, path, named, other.fencing_token, stranger) for named in (existing, missing)]

    assert said[0] is not None
    assert said[0].reason == REASONS.get(path.rpartition("/")[2], "NOT_YOURS")
    assert said[0] == said[1], "the answer must not tell whether there is such a thing"
    assert existing not in str(said[0])


@pytest.mark.parametrize(("owner", "collection", "path"), METHODS)
async def test_the_owner_reaches_it(live: Live, other: Tenant, owner: str, collection: str, path: str) -> None:
    token = live.token(other.vendor if owner == "VENDOR" else other.expert)

    said = await ask(live, path, other.owned[collection], other.fencing_token, token)

    # What was done before may forbid it by now; the refusal is then about that, and not about whose it is.
    assert said is None or said.reason in {
        "BATCH_NOT_OPENABLE",
        "BATCH_NOT_STAGING",
        "LEASE_ENDED",
        "QUESTION_NOT_OPEN",
    }


async def ask(live: Live, path: str, named: str, fencing_token: int, token: str) -> Refusal | None:
    """How a method refuses a caller who asks for something by name."""
    channel, policy = live.method(f"/preceptor.{path}")
    return await outcome(invoke(channel, policy, ASK[path](named, fencing_token), bearer(token)))
