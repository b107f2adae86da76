"""Runs tasking in a role: ``python -m services.tasking grpc|events|migrate|all``."""

from __future__ import annotations

from chassis.run import main
from services.tasking.service import SERVICE

if __name__ == "__main__":
    main(SERVICE)
