"""The order of an upload: a header, then chunks without gaps. A chunk that is known already may come again."""

from __future__ import annotations

from chassis.errors import FailedPrecondition, InvalidArgument


class HeaderMissing(InvalidArgument):
    """The first message of an upload must be its header, and no other may be one."""

    reason = "UPLOAD_HEADER_MISSING"


class ChunkOutOfOrder(FailedPrecondition):
    """A chunk is missing before this one: go on after the batch's last_chunk."""

    reason = "CHUNK_OUT_OF_ORDER"


class BatchNotStaging(FailedPrecondition):
    """The batch has been opened: tasks can no longer be added to it."""

    reason = "BATCH_NOT_STAGING"


class BatchFull(FailedPrecondition):
    """A batch has at most a million tasks, and as many gold items: upload the rest as another batch."""

    reason = "BATCH_FULL"


class BatchNotOpenable(FailedPrecondition):
    """The batch is open, being funded, or done already."""

    reason = "BATCH_NOT_OPENABLE"


class BatchEmpty(FailedPrecondition):
    """The batch has no tasks: upload some first."""

    reason = "BATCH_EMPTY"


MOST_TASKS = 1_000_000
"""Of a batch; and so many gold items."""


def check_number(tasks: int, gold_items: int) -> None:
    """Raises `BatchFull` if a batch would have more of either than it may."""
    if max(tasks, gold_items) > MOST_TASKS:
        raise BatchFull(field="chunk.tasks", tasks=str(tasks), gold_items=str(gold_items), most=str(MOST_TASKS))


def check_sequence(sequence: int, last_chunk: int) -> None:
    """Raises `ChunkOutOfOrder` if a chunk was left out before this one."""
    if sequence > last_chunk + 1:
        raise ChunkOutOfOrder(field="chunk.sequence", last_chunk=str(last_chunk))
