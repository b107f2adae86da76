"""What a vendor does: projects by type and field, batches in them, and in the end the results."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from preceptor.tasking.v1 import batch_pb2, batch_pb2_grpc, project_pb2, project_pb2_grpc
from preceptor.work.v1 import work_pb2

from chassis.contract.work import task_type_of
from clients.session import Session
from deploy.local.examples import Example, answer_of
from deploy.local.main_job.waiting import once_known, until

_CHUNK = 100
_TIERS = {work_pb2.DOMAIN_HEALTHCARE: "M1", work_pb2.DOMAIN_LAW: "P2", work_pb2.DOMAIN_FINANCE: "P2"}


@dataclass(frozen=True, slots=True)
class Assignment:
    """Tasks of one type and one domain: a project with one batch."""

    task_type: work_pb2.TaskType.ValueType
    domain: work_pb2.Domain.ValueType
    examples: Sequence[Example]

    @property
    def field(self) -> str:
        """What must be attested about those who do it."""
        return work_pb2.Domain.Name(self.domain).removeprefix("DOMAIN_").lower()

    @property
    def tier(self) -> str:
        """The tier of the rate card that its answers are paid at."""
        return _TIERS.get(self.domain, "P1")


def assignments(examples: Sequence[Example]) -> list[Assignment]:
    """The examples sorted into projects."""
    groups: defaultdict[tuple[work_pb2.TaskType.ValueType, work_pb2.Domain.ValueType], list[Example]] = defaultdict(
        list
    )
    for example in examples:
        groups[task_type_of(example.payload), example.domain].append(example)
    return [Assignment(*key, groups[key]) for key in sorted(groups)]


async def push_all(
    vendor: Session, rate_card: str, lease_seconds: int, most_answers: int, work: Sequence[Assignment]
) -> list[str]:
    """Makes a project and an open batch for each assignment; returns the batches' names."""

    async def push(assignment: Assignment) -> str:
        project = await _create_project(vendor, rate_card, lease_seconds, most_answers, assignment)
        return await _push(vendor, project, assignment)

    return list(await asyncio.gather(*(push(assignment) for assignment in work)))


async def _create_project(
    vendor: Session, rate_card: str, lease_seconds: int, most_answers: int, assignment: Assignment
) -> str:
    """Makes a project; waits until tasking has heard of vendor and rate card."""
    project = project_pb2.Project(
        display_name=f"{work_pb2.TaskType.Name(assignment.task_type).lower()} in {assignment.field}",
        task_type=assignment.task_type,
        domain=assignment.domain,
        locale="en",
        instructions="Judge as a careful member of your profession would, and say why in a sentence.",
        required_claims=[work_pb2.Claim(kind="field", value=assignment.field)],
        # Asks for a confidence, and saves where it is dear: what is sure enough to be used is worth more than the last
        # answers to it.
        redundancy=work_pb2.Redundancy(
            min_answers=3, max_answers=most_answers, stop_confidence=0.95, least_worth=0.0002, agreed_confidence=0.8
        ),
        rate_card=rate_card,
        tier=assignment.tier,
        expected_seconds=180,
    )
    project.lease_duration.FromSeconds(lease_seconds)
    projects = project_pb2_grpc.ProjectServiceStub(vendor.channel("tasking"))
    request = project_pb2.CreateProjectRequest(project=project, request_id=str(uuid4()))
    auth = await vendor.auth()
    made = await once_known(
        "tasking knows vendor and rate card",
        lambda: projects.CreateProject(request, metadata=auth),
        "VENDOR_NOT_ACTIVE",
        "RATE_CARD_UNKNOWN",
    )
    return made.project.name


async def _push(vendor: Session, project: str, assignment: Assignment) -> str:
    """Uploads and opens a batch, and waits until its money is reserved. Raises RuntimeError where it is refused."""
    batches = batch_pb2_grpc.BatchServiceStub(vendor.channel("tasking"))
    uploaded = await batches.UploadBatch(_messages(project, assignment.examples), metadata=await vendor.auth())
    if uploaded.rejected:
        raise RuntimeError(f"{uploaded.rejected} tasks were not taken: {uploaded.errors[0].message}")
    name = uploaded.batch.name
    opening = batch_pb2.OpenBatchRequest(name=name, request_id=str(uuid4()))
    await batches.OpenBatch(opening, metadata=await vendor.auth())

    async def opened() -> batch_pb2.Batch | None:
        batch = await get_batch(vendor, name)
        if batch.state == batch_pb2.BATCH_STATE_HALTED_BUDGET:
            raise RuntimeError(f"the batch was not funded: {batch.state_reason}")
        return batch if batch.state != batch_pb2.BATCH_STATE_VALIDATING else None

    await until("the batch is open", opened)
    return name


async def _messages(project: str, examples: Sequence[Example]) -> AsyncIterator[batch_pb2.UploadBatchRequest]:
    yield batch_pb2.UploadBatchRequest(header=batch_pb2.UploadHeader(project=project, batch_key="main-job"))
    for number, start in enumerate(range(0, len(examples), _CHUNK), 1):
        tasks = [_new_task(example) for example in examples[start : start + _CHUNK]]
        yield batch_pb2.UploadBatchRequest(chunk=batch_pb2.UploadChunk(sequence=number, tasks=tasks))


def _new_task(example: Example) -> batch_pb2.NewTask:
    """A task; of a gold item with the answer that is known to be right."""
    key = answer_of(example.payload, example.truth, example.why) if example.gold else None
    return batch_pb2.NewTask(item_key=example.item_key, payload=example.payload, gold_key=key)


async def get_batch(vendor: Session, name: str) -> batch_pb2.Batch:
    """The batch as it stands."""
    batches = batch_pb2_grpc.BatchServiceStub(vendor.channel("tasking"))
    return (await batches.GetBatch(batch_pb2.GetBatchRequest(name=name), metadata=await vendor.auth())).batch


async def get_batches(vendor: Session, names: Sequence[str]) -> list[batch_pb2.Batch]:
    """Several batches as they stand."""
    return list(await asyncio.gather(*(get_batch(vendor, name) for name in names)))


async def read_results(vendor: Session, name: str, page_size: int = 4) -> list[batch_pb2.TaskResult]:
    """All results of a batch, page by page."""
    batches = batch_pb2_grpc.BatchServiceStub(vendor.channel("tasking"))
    request = batch_pb2.ListResultsRequest(parent=name, page_size=page_size)
    results: list[batch_pb2.TaskResult] = []
    while True:
        page = await batches.ListResults(request, metadata=await vendor.auth())
        results += page.results
        if not page.next_page_token:
            return results
        request.page_token = page.next_page_token
