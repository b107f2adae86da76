"""Takes an upload: the header finds or makes the batch, each chunk is stored in a transaction of its own.

The vendor's keys make it safe to send anything again: the same batch key is the same batch, the same item key with the
same content is the same task, with other content an error of that row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from chassis import money
from chassis.db import Transaction
from chassis.ids import new_id
from chassis.rpc.call import NotYours
from services.tasking.domain.budget import check_cost, most_gold, worst_case
from services.tasking.domain.upload import BatchNotStaging, check_number, check_sequence

_STAGING = 1
_PLACES_A_CHUNK = 1000

_PROJECT = "SELECT project_id, vendor_id, task_type FROM project WHERE project_id = $1"

_FIND_OR_MAKE = """
WITH made AS (
    INSERT INTO batch (batch_id, vendor_id, project_id, batch_key) VALUES ($1, $2, $3, $4)
    ON CONFLICT (project_id, batch_key) DO NOTHING
    RETURNING batch_id)
SELECT batch_id FROM made UNION ALL SELECT batch_id FROM batch WHERE project_id = $3 AND batch_key = $4
"""

_LOCK = """
SELECT b.state, b.last_chunk, b.project_id, b.vendor_id, b.tasks, b.gold_items, p.min_answers, p.max_answers,
       p.expected_seconds, r.fee_basis_points, (r.rates ->> p.tier)::bigint AS rate
FROM batch b JOIN project p USING (project_id) LEFT JOIN rate_card r USING (rate_card_id)
WHERE b.batch_id = $1 FOR UPDATE OF b
"""

_INSERT = """
INSERT INTO task (task_id, batch_id, project_id, vendor_id, answers_wanted,
                  position, item_key, payload, payload_hash, priority, kind, gold_key, predictions)
SELECT new.task_id, $1, $2, $3, $4, new.position, new.item_key, new.payload, new.payload_hash, new.priority,
       CASE WHEN new.gold_key IS NULL THEN 1 ELSE 2 END, new.gold_key, new.predictions
FROM unnest($5::uploaded_task[]) AS new
"""

# The lock on the batch is had by now: nobody adds a key between this look and the insert. To insert ON CONFLICT, and to
# be told RETURNING what was new, costs a fifth more.
_KNOWN = "SELECT item_key, payload_hash FROM task WHERE batch_id = $1 AND item_key = ANY($2)"

_COUNT = """
UPDATE batch SET tasks = tasks + $2, gold_items = gold_items + $3, last_chunk = greatest(last_chunk, $4)
WHERE batch_id = $1
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an upload goes, and the type that its tasks must have."""

    batch_id: UUID
    task_type: int


@dataclass(frozen=True, slots=True)
class NewTask:
    """A well-formed task of a chunk, at its place in it."""

    place: int
    item_key: str
    payload: bytes
    payload_hash: bytes
    priority: int
    gold_key: bytes | None = None
    """The serialized answer that makes it a gold item."""
    predictions: bytes | None = None
    """Serialized ``ModelPredictions``, if there are any."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the well-formed tasks of a chunk."""

    accepted: int
    repeated: int
    conflicts: list[NewTask]


async def find_or_make_batch(tx: Transaction, vendor_id: UUID, project_id: UUID, batch_key: str) -> Target:
    """The batch of an upload. Raises `NotYours`."""
    project = await tx.fetchrow(_PROJECT, project_id)
    if project is None or project["vendor_id"] != vendor_id:
        raise NotYours
    batch_id: UUID | None = None
    while batch_id is None:  # none when another upload made it after our snapshot was taken: the next one sees it
        batch_id = await tx.fetchval(_FIND_OR_MAKE, new_id(), vendor_id, project_id, batch_key)
    return Target(batch_id, project["task_type"])


async def store_chunk(tx: Transaction, batch_id: UUID, sequence: int, tasks: Sequence[NewTask]) -> Stored:
    """Stores a chunk by one insert. Raises `BatchNotStaging`, `ChunkOutOfOrder`, `BatchFull`, `PriceTooLow` or
    `BatchTooCostly`; then nothing of it is stored.

    Call it in a transaction that goes `by_index`: at its first chunks the table may still be empty.
    """
    batch = await tx.fetchrow(_LOCK, batch_id)
    if batch is None:
        raise NotYours
    if batch["state"] != _STAGING:
        raise BatchNotStaging
    check_sequence(sequence, batch["last_chunk"])
    first = {task.item_key: task for task in reversed(tasks)}
    known = {row["item_key"]: row["payload_hash"] for row in await tx.fetch(_KNOWN, batch_id, list(first))}
    new = [task for key, task in first.items() if key not in known]
    gold = sum(task.gold_key is not None for task in new)
    if new:
        _check_room(batch, batch["tasks"] + len(new) - gold, batch["gold_items"] + gold)
        await _insert(tx, batch_id, batch, sequence, new)
    await tx.execute(_COUNT, batch_id, len(new) - gold, gold, sequence)
    # What this chunk itself added is compared with its first appearance in the chunk.
    hashes = {key: task.payload_hash for key, task in first.items()} | known
    conflicts = [task for task in tasks if task.payload_hash != hashes[task.item_key]]
    return Stored(len(new), len(tasks) - len(new) - len(conflicts), conflicts)


def _check_room(batch: asyncpg.Record, tasks: int, gold_items: int) -> None:
    """Whether a batch of so many could be opened at today's rates, if they are known: tasks are never taken out."""
    check_number(tasks, gold_items)
    if batch["rate"] is None:
        return
    answers, price = batch["max_answers"], money.price(batch["rate"], batch["expected_seconds"])
    gold = most_gold(tasks, answers, gold_items)
    check_cost(
        worst_case(tasks, answers, price, batch["fee_basis_points"], money.share, gold),
        money.GREATEST_AMOUNT,
        "chunk.tasks",
    )


async def _insert(
    tx: Transaction, batch_id: UUID, batch: asyncpg.Record, sequence: int, tasks: Sequence[NewTask]
) -> None:
    await tx.execute(
        _INSERT,
        batch_id,
        batch["project_id"],
        batch["vendor_id"],
        batch["min_answers"],
        [_row(sequence * _PLACES_A_CHUNK + task.place, task) for task in tasks],
    )


def _row(position: int, task: NewTask) -> tuple[object, ...]:
    """An `uploaded_task`."""
    content = task.payload, task.payload_hash, task.priority, task.gold_key, task.predictions
    return new_id(), position, task.item_key, *content
