"""The four services: identity, tasking, scoring, payouts. None imports another."""
