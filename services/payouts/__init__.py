"""Rate cards, prefunds and reserves, the ledger, earnings and payouts."""
