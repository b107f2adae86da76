"""What a vendor does: a project, a batch, and in the end the results."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from google.protobuf import json_format
from preceptor.tasking.v1 import batch_pb2, batch_pb2_grpc, project_pb2, project_pb2_grpc
from preceptor.work.v1 import pairwise_preference_pb2, work_pb2

from clients.session import Session
from deploy.local.main_job.waiting import once_known, until

_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Example:
    """A task of the examples with the answer that is known to be right."""

    item_key: str
    payload: work_pb2.Payload
    truth: pairwise_preference_pb2.Side.ValueType


def read_examples(path: Path) -> list[Example]:
    """Reads the examples that a software engineer can answer: a JSON object a line."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [_example(row) for row in rows if row["domain"] == "TECHNOLOGY"]


def _example(row: dict[str, Any]) -> Example:
    payload = json_format.ParseDict(row["payload"], work_pb2.Payload())
    truth = pairwise_preference_pb2.Side.Value(f"SIDE_{row['truth']}")
    return Example(str(row["item_key"]), payload, truth)


async def create_project(vendor: Session, rate_card: str, claim: tuple[str, str], lease_seconds: int) -> str:
    """Makes the project; waits until tasking has heard of vendor and rate card."""
    project = project_pb2.Project(
        display_name="Which answer helps a developer more?",
        task_type=work_pb2.TASK_TYPE_PAIRWISE_PREFERENCE,
        domain=work_pb2.DOMAIN_TECHNOLOGY,
        locale="en",
        instructions="Prefer the response that a careful senior engineer would give. Say why in a sentence.",
        required_claims=[work_pb2.Claim(kind=claim[0], value=claim[1])],
        redundancy=work_pb2.Redundancy(min_answers=3, max_answers=5, stop_confidence=0.95),
        rate_card=rate_card,
        tier="P1",
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


async def push(vendor: Session, project: str, batch_key: str, examples: Sequence[Example]) -> batch_pb2.Batch:
    """Uploads a batch, opens it, and waits until its money is reserved. Raises RuntimeError where it is refused."""
    batches = batch_pb2_grpc.BatchServiceStub(vendor.channel("tasking"))
    uploaded = await batches.UploadBatch(_messages(project, batch_key, examples), metadata=await vendor.auth())
    if uploaded.rejected:
        raise RuntimeError(f"{uploaded.rejected} tasks were not taken: {uploaded.errors[0].message}")
    name = uploaded.batch.name
    await batches.OpenBatch(
        batch_pb2.OpenBatchRequest(name=name, request_id=str(uuid4())), metadata=await vendor.auth()
    )

    async def opened() -> batch_pb2.Batch | None:
        batch = await get_batch(vendor, name)
        if batch.state == batch_pb2.BATCH_STATE_HALTED_BUDGET:
            raise RuntimeError(f"the batch was not funded: {batch.state_reason}")
        return batch if batch.state != batch_pb2.BATCH_STATE_VALIDATING else None

    return await until("the batch is open", opened)


async def _messages(
    project: str, batch_key: str, examples: Sequence[Example]
) -> AsyncIterator[batch_pb2.UploadBatchRequest]:
    yield batch_pb2.UploadBatchRequest(header=batch_pb2.UploadHeader(project=project, batch_key=batch_key))
    for number, start in enumerate(range(0, len(examples), _CHUNK), 1):
        tasks = [
            batch_pb2.NewTask(item_key=example.item_key, payload=example.payload)
            for example in examples[start : start + _CHUNK]
        ]
        yield batch_pb2.UploadBatchRequest(chunk=batch_pb2.UploadChunk(sequence=number, tasks=tasks))


async def get_batch(vendor: Session, name: str) -> batch_pb2.Batch:
    """The batch as it stands."""
    batches = batch_pb2_grpc.BatchServiceStub(vendor.channel("tasking"))
    return (await batches.GetBatch(batch_pb2.GetBatchRequest(name=name), metadata=await vendor.auth())).batch


async def read_results(vendor: Session, name: str) -> list[batch_pb2.TaskResult]:
    """All results of a batch, page by page."""
    batches = batch_pb2_grpc.BatchServiceStub(vendor.channel("tasking"))
    request = batch_pb2.ListResultsRequest(parent=name, page_size=4)
    results: list[batch_pb2.TaskResult] = []
    while True:
        page = await batches.ListResults(request, metadata=await vendor.auth())
        results += page.results
        if not page.next_page_token:
            return results
        request.page_token = page.next_page_token
