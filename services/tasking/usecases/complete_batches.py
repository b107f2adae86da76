"""Timer: completes batches that can bring no further answer and in which every answer is decided."""

from __future__ import annotations

from preceptor.tasking.v1 import events_pb2

from chassis.db import Transaction
from services.tasking.context import Context

_CANDIDATES = """
SELECT b.batch_id FROM batch b
WHERE b.state = 3 AND b.closed = b.tasks
  AND NOT EXISTS (SELECT FROM slot s WHERE s.batch_id = b.batch_id AND s.state IN (1, 4)
                  AND s.expires_at > statement_timestamp() - $1::interval)
  AND NOT EXISTS (SELECT FROM answer a WHERE a.batch_id = b.batch_id AND a.decision_version = 0)
ORDER BY b.batch_id LIMIT 100 FOR UPDATE OF b SKIP LOCKED
"""

# Looks again, so that it sees what committed before the batches were locked: a late answer and a time lock their batch.
_COMPLETE = """
UPDATE batch b SET state = 5, state_at = clock_timestamp(), completed_at = clock_timestamp()
WHERE b.batch_id = ANY ($1)
  AND NOT EXISTS (SELECT FROM slot s WHERE s.batch_id = b.batch_id AND s.state IN (1, 4)
                  AND s.expires_at > statement_timestamp() - $2::interval)
  AND NOT EXISTS (SELECT FROM answer a WHERE a.batch_id = b.batch_id AND a.decision_version = 0)
RETURNING b.batch_id, b.vendor_id, (SELECT count(*) FROM answer a WHERE a.batch_id = b.batch_id) AS answers,
          (SELECT count(*) FROM paid_time p WHERE p.batch_id = b.batch_id) AS times
"""


async def tick(tx: Transaction, context: Context) -> int:
    """Completes up to 100 batches; returns how many."""
    candidates = [row["batch_id"] for row in await tx.fetch(_CANDIDATES, context.settings.late_grace)]
    if not candidates:
        return 0
    done = await tx.fetch(_COMPLETE, candidates, context.settings.late_grace)
    tx.emit(
        *(
            events_pb2.BatchCompleted(
                batch_id=str(row["batch_id"]),
                vendor_id=str(row["vendor_id"]),
                answers_decided=row["answers"],
                times_recorded=row["times"],
            )
            for row in done
        )
    )
    return len(done)
