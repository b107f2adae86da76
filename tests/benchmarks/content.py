"""What benchmarks ask and answer: as long as real tasks are, always the same."""

from __future__ import annotations

from collections.abc import Sequence

from preceptor.tasking.v1 import batch_pb2
from preceptor.work.v1.work_pb2 import Answer, Payload

from services.tasking.usecases.upload_batch import NewTask
from tests.support.tasking import answer, new_task, payload

ANSWER: Answer = answer(-2, "The first says where to look and why; the second would mislead whoever acts on it.")

_QUESTION = "My service leaks memory: it keeps a dict of results by request. What should I look at first? "
_REPLY = "Look at that dict: nothing ever removes its entries. Put a bound on it and confirm with snapshots. "


def asked(number: int) -> Payload:
    """A task of about one kilobyte."""
    content = payload(f"{number}. " + _QUESTION * 2)
    content.pairwise_preference.response_a = _REPLY * 4
    content.pairwise_preference.response_b = _REPLY * 4
    return content


def new_tasks(number: int) -> list[NewTask]:
    """So many tasks as they are stored."""
    return [new_task(f"task-{place}", place, asked(place)) for place in range(number)]


def upload_messages(project: str, batch_key: str, tasks: int, chunk: int) -> Sequence[bytes]:
    """The messages of an upload, as bytes."""
    header = batch_pb2.UploadHeader(project=project, batch_key=batch_key)
    rows = [batch_pb2.NewTask(item_key=f"task-{place}", payload=asked(place)) for place in range(tasks)]
    chunks = [
        batch_pb2.UploadChunk(sequence=sequence, tasks=rows[start : start + chunk])
        for sequence, start in enumerate(range(0, tasks, chunk), 1)
    ]
    requests = [batch_pb2.UploadBatchRequest(header=header)]
    requests += [batch_pb2.UploadBatchRequest(chunk=piece) for piece in chunks]
    return [request.SerializeToString() for request in requests]
