"""The four services as child processes of the local stack."""

import sys
from collections.abc import Mapping

from deploy.local.paths import ROOT
from deploy.local.processes import Program

SERVICES = ("identity", "tasking", "scoring", "payouts")


def service_program(service: str, role: str, settings: Mapping[str, str]) -> Program:
    """A service in one of its roles, grpc, events, migrate or all, with these environment variables added.

    Its log is `SERVICE-ROLE.log`. It gets twenty seconds to finish the requests that it has.
    """
    argv = [sys.executable, "-m", f"services.{service}", role]
    return Program(f"{service}-{role}", argv, env=settings, cwd=ROOT, stop_within=20.0)
