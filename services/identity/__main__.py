"""Runs identity in a role: ``python -m services.identity grpc|events|migrate|all``, and its offline commands."""

from __future__ import annotations

from chassis.run import main
from services.identity.cli import app
from services.identity.service import SERVICE

if __name__ == "__main__":
    main(SERVICE, app)
