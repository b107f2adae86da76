"""Runs payouts in a role: grpc, events, all, or migrate."""

from chassis.run import main
from services.payouts.service import SERVICE

if __name__ == "__main__":
    main(SERVICE)
