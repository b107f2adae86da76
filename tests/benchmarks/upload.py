"""A batch upload beside COPY of all the rows that it writes, by a role that no policy checks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count

import asyncpg

from chassis.ids import name
from services.tasking.service import SERVICE
from tests.benchmarks.measure import Figure, beside_limit
from tests.benchmarks.progress import Step
from tests.benchmarks.rig import Rig
from tests.support.platform import vendor
from tests.support.tasking import tasking_world

_TASKS_A_SECOND = 5000
_CHUNK = 1000

# What the upload has just written, as rows to write again: another batch, other ids.
_ROWS = """
SELECT uuidv7() AS task_id, $2::uuid AS batch_id, t.project_id, t.vendor_id, t.position, t.item_key,
       t.payload, t.payload_hash, t.priority, t.answers_wanted
FROM task t WHERE t.batch_id = $1 ORDER BY t.position
"""
_BATCH = (
    "INSERT INTO batch (batch_id, vendor_id, project_id, batch_key) SELECT $1, vendor_id, project_id, $2 FROM project"
)
_LAST = "SELECT batch_id FROM batch ORDER BY created_at DESC LIMIT 1"
_COLUMNS = (
    "task_id",
    "batch_id",
    "project_id",
    "vendor_id",
    "position",
    "item_key",
    "payload",
    "payload_hash",
    "priority",
    "answers_wanted",
)


async def run(rig: Rig, step: Step) -> Sequence[Figure]:
    """Tasks a second."""
    tasks = max(_CHUNK, int(rig.seconds * _TASKS_A_SECOND) // _CHUNK * _CHUNK)
    async with rig.database("tasking", SERVICE.migrations) as (url, database), rig.administrator(url) as administrator:
        world = await tasking_world(database)
        project = name("projects", await world.project())
        server = await rig.service("tasking", "grpc", url)
        keys, rounds = count(), iter(step.through(range(rig.rounds)))

        async def upload() -> float:
            key = f"upload-{next(keys)}"
            seconds = await client.do("upload", project=project, batch_key=key, tasks=tasks, chunk=_CHUNK)
            return tasks / float(seconds)

        async def copy() -> float:
            rate = await _copy(administrator, next(keys), tasks)
            next(rounds, None)
            return rate

        async with rig.client(server.address, [vendor(world.vendor_id)]) as client:
            await upload()
            next(rounds)
            figure = await beside_limit("tasks beside COPY", "/s", upload, copy, rig.rounds, 0.4)
        await rig.supervisor.stop(server.process)
    return [figure]


async def _copy(administrator: asyncpg.Connection[asyncpg.Record], number: int, tasks: int) -> float:
    """Copies the rows of the last upload into a batch of their own, in one transaction."""
    batch_id, last = await administrator.fetchval("SELECT gen_random_uuid()"), await administrator.fetchval(_LAST)
    rows = [tuple(row) for row in await administrator.fetch(_ROWS, last, batch_id)]
    assert len(rows) == tasks
    start = time.perf_counter()
    async with administrator.transaction():
        await administrator.execute(_BATCH, batch_id, f"copy-{number}")
        await administrator.copy_records_to_table("task", records=rows, columns=_COLUMNS)
    seconds = time.perf_counter() - start
    await administrator.execute("DELETE FROM task WHERE batch_id = $1", batch_id)
    await administrator.execute("DELETE FROM batch WHERE batch_id = $1", batch_id)
    return tasks / seconds
