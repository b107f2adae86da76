"""Has a project scored anew as a whole: the timer does it, as soon as nothing else holds the project."""

from __future__ import annotations

from uuid import UUID

from chassis.db import Transaction
from chassis.errors import NotFound
from chassis.ids import new_id

# A fit that runs holds the row. What is asked for during one is done after it, by all the votes there are then.
_MAKE_DUE = """
UPDATE project_state SET fit_at = 0 WHERE project_id = $1 RETURNING vendor_id
"""

_REQUEST = """
INSERT INTO rescore (rescore_id, project_id, vendor_id, requested_by) VALUES ($1, $2, $3, $4)
"""


class ProjectNotScored(NotFound):
    """There is no such project, or none of its tasks has an answer yet."""

    reason = "PROJECT_NOT_SCORED"


async def rescore_project(tx: Transaction, project_id: UUID, requested_by: str) -> UUID:
    """Makes a project due, if the transaction's scope shows it; returns the id of the rescore.

    `requested_by` is kept for the record, like ``staff 0192...``. Raises `ProjectNotScored`.
    """
    vendor_id = await tx.fetchval(_MAKE_DUE, project_id)
    if vendor_id is None:
        raise ProjectNotScored
    rescore_id = new_id()
    await tx.execute(_REQUEST, rescore_id, project_id, vendor_id, requested_by)
    return rescore_id
