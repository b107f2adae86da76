"""Step 4: whether the caller may call the method, as the contract states. What is not listed is denied."""

from __future__ import annotations

from chassis.contract.access import MethodPolicy
from chassis.errors import PermissionDenied
from chassis.rpc.call import Caller


class CallerNotAllowed(PermissionDenied):
    """Your role may not call this method."""

    reason = "CALLER_NOT_ALLOWED"


def check_access(caller: Caller, policy: MethodPolicy) -> None:
    """Raises `CallerNotAllowed` unless one of the caller's roles is listed."""
    if not caller.roles & policy.callers:
        raise CallerNotAllowed(method=policy.path, allowed=",".join(sorted(policy.callers)))
