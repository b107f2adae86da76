"""Runs scoring in a role, ``python -m services.scoring grpc|events|migrate|all``, or one of its offline commands."""

from __future__ import annotations

import sys

from chassis.process import Role
from chassis.run import main
from services.scoring.service import SERVICE

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in {"migrate", *(role.value for role in Role)}:
        main(SERVICE)
    else:
        # The engine's libraries take seconds to load, which a process that serves need not wait for.
        from services.scoring.cli import app

        main(SERVICE, app)
