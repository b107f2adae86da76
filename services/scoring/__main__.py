"""Runs scoring in a role, ``python -m services.scoring grpc|events|migrate|all``, or one of its offline commands."""

from __future__ import annotations

from chassis.run import main
from services.scoring.cli import app
from services.scoring.service import SERVICE

if __name__ == "__main__":
    main(SERVICE, app)
