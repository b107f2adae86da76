"""Who may call what, as a table to be reviewed. After a change of access in the contracts, see what it means:

    python -m tests.contract.permissions > tests/contract/golden/permissions.txt
    git diff tests/contract/golden/permissions.txt

Every cell that turns to "allowed" must be meant.
"""

from __future__ import annotations

import sys

from chassis.contract.access import ANYONE, OPERATIONS, MethodPolicy, policies
from deploy.local.services import SERVICES
from tests.contract.source_tree import ROOT

GOLDEN = ROOT / "tests" / "contract" / "golden" / "permissions.txt"
CALLERS = (
    "ANYONE",
    "EXPERT",
    "VENDOR",
    "CREDENTIAL_REVIEWER",
    "QUALITY_REVIEWER",
    "FINANCE",
    "OPS",
    "ADMIN",
)
"""Kinds of caller, as columns; ANYONE is a call without a token."""


def every_policy() -> list[MethodPolicy]:
    """The methods of all services, in the services' order, then by path; last those that every service serves."""
    return [policy for service in (*SERVICES, OPERATIONS) for _, policy in sorted(policies(service).items())]


def allowed(policy: MethodPolicy, caller: str) -> bool:
    """Whether a kind of caller may call a method; one that is open to anyone looks at no token."""
    return caller in policy.callers or ANYONE in policy.callers


def table() -> str:
    """The matrix as text."""
    width = max(len(policy.path) for policy in every_policy())
    rows = [("", CALLERS), *((policy.path, _cells(policy)) for policy in every_policy())]
    lines = [f"{path:{width}}  {'  '.join(map(_padded, CALLERS, cells))}".rstrip() for path, cells in rows]
    return "\n".join(lines) + "\n"


def _cells(policy: MethodPolicy) -> tuple[str, ...]:
    return tuple("allowed" if allowed(policy, caller) else "-" for caller in CALLERS)


def _padded(column: str, cell: str) -> str:
    return cell.ljust(max(len(column), len("allowed")))


if __name__ == "__main__":
    sys.stdout.write(table())
