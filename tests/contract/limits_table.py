"""The table of limits in `docs/limits.md`, computed from the contracts.

python -m tests.contract.limits_table      writes what has changed; look at it before committing
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.descriptor import Descriptor
from google.protobuf.message_factory import GetMessageClass
from preceptor.tasking.v1 import batch_pb2, project_pb2, work_pb2
from preceptor.work.v1.work_pb2 import Answer, Payload, QuestionDecision

from chassis.bus.outbox import MAX_PAYLOAD
from chassis.contract.descriptors import files
from chassis.contract.events import catalogue
from chassis.contract.largest import LARGEST_MESSAGE, largest, rules_of
from chassis.contract.sizes import field_limit_of, limit_of
from chassis.rpc.idempotency import LARGEST_KEPT, MOST_KEPT
from chassis.rpc.paging import PAGE_BYTES
from chassis.rpc.validation import request_limit
from deploy.envoy.settings import Limits

FILE = Path(__file__).parents[2] / "docs" / "limits.md"
BEGIN, END = "<!-- computed: tests/contract/limits_table.py -->\n", "<!-- end -->\n"
_SHOWN = 50_000
"""Requests and events that are smaller are not worth a line."""


def computed() -> str:
    """The part of the document that is computed."""
    return "\n".join([*_what_comes_in(), "", *_requests(), "", *_events(), "", *_replies(), ""])


def written(document: str) -> str:
    """The computed part as it stands in a document."""
    return document.split(BEGIN)[1].split(END)[0]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def _what_comes_in() -> Iterator[str]:
    new_task = batch_pb2.NewTask.DESCRIPTOR
    header = batch_pb2.UploadHeader.DESCRIPTOR
    instructions = rules_of(project_pb2.Project.DESCRIPTOR.fields_by_name["instructions"]).string
    item_key, batch_key = (
        rules_of(field).string.max_len
        for field in (new_task.fields_by_name["item_key"], header.fields_by_name["batch_key"])
    )
    token = rules_of(batch_pb2.ListResultsRequest.DESCRIPTOR.fields_by_name["page_token"]).string.max_len
    yield from _table(
        ("what comes in", "most bytes", "kept in"),
        [
            ("payload of a task", _limit(Payload.DESCRIPTOR), "`task`"),
            ("answer: handed in, saved as a draft, gold key", _limit(Answer.DESCRIPTOR), "`answer`, `slot`, `task`"),
            (
                "predictions on a task, all together",
                f"{field_limit_of(new_task.fields_by_name['predictions']):,}",
                "`task`",
            ),
            ("task: payload, predictions, gold key, item key", _limit(new_task), "`task`"),
            ("instructions", f"{instructions.max_bytes:,} in {instructions.max_len:,} characters", "`project`"),
            ("decision of a vendor on a question", _limit(QuestionDecision.DESCRIPTOR), "`task`"),
            ("item key; batch key", f"{4 * item_key}; {4 * batch_key}", "indexes"),
            ("page token", f"{4 * token:,}", "nothing"),
            ("request of any method", f"{LARGEST_MESSAGE:,}", ""),
        ],
    )


def _limit(message: Descriptor) -> str:
    return f"{limit_of(message):,}"


def _requests() -> Iterator[str]:
    sizes = {
        method.full_name.removeprefix("preceptor."): request_limit(GetMessageClass(method.input_type))
        for file in files()
        for service in file.services_by_name.values()
        for method in service.methods
    }
    shown = sorted((name, size) for name, size in sizes.items() if size > _SHOWN)
    yield from _table(("request", "most bytes"), [(f"`{name}`", f"{size:,}") for name, size in shown])


def _events() -> Iterator[str]:
    sizes = {
        name.removeprefix("preceptor."): largest(each.message_class.DESCRIPTOR) for name, each in catalogue().items()
    }
    shown = sorted((name, size) for name, size in sizes.items() if size and size > _SHOWN)
    rows = [(f"`{name}`", f"{size:,}") for name, size in shown]
    yield from _table(("event", "most bytes"), [*rows, ("what the bus takes", f"{MAX_PAYLOAD:,}")])


def _replies() -> Iterator[str]:
    claim, result = work_pb2.ClaimTaskResponse.DESCRIPTOR, batch_pb2.TaskResult.DESCRIPTOR
    yield from _table(
        ("reply", "most bytes"),
        [
            ("lease: payload, instructions, draft", f"{largest(claim):,}"),
            ("page of results, flags or held tasks", f"{PAGE_BYTES:,}, or one item"),
            ("one result", f"{largest(result):,}"),
            ("reply of any method", f"{LARGEST_MESSAGE:,}"),
            ("reply as JSON, through the edge", f"{Limits().reply_bytes:,}"),
            ("kept of a reply for repeats", f"{LARGEST_KEPT:,}, of a caller's last {MOST_KEPT:,} requests"),
        ],
    )


def main() -> None:
    """Writes the computed part anew."""
    document = FILE.read_text()
    before, _, rest = document.partition(BEGIN)
    FILE.write_text(before + BEGIN + computed() + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
