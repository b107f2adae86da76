"""What metrics tell of payouts' rows: what an index answers each time, what reads a whole table seldom."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.db import Transaction
from chassis.telemetry import metrics
from chassis.telemetry.readings import SELDOM, Reading, Rows, statement

# More than this is not counted: how many wait more is told as quickly.
_MOST = 100_000

_IMBALANCE = """
SELECT a.currency, sum(b.amount) AS sum FROM account a JOIN balance b ON b.account_id = a.id GROUP BY a.currency
"""

_HOLDS = f"""
SELECT h.reason,
       CASE WHEN h.placed_at > now() - interval '1 day' THEN 'under_1d'
            WHEN h.placed_at > now() - interval '7 days' THEN 'under_7d'
            WHEN h.placed_at > now() - interval '30 days' THEN 'under_30d' ELSE 'over_30d' END AS age,
       count(*) AS holds
FROM (SELECT id FROM earning WHERE state = 'HELD' ORDER BY hold_until LIMIT {_MOST}) AS l
JOIN hold h ON h.earning_id = l.id AND h.released_at IS NULL
GROUP BY 1, 2
"""  # noqa: S608

_GOING = f"""
SELECT s.state, count(p.created_at) AS payouts,
       coalesce(extract(epoch FROM now() - min(p.created_at)), 0) AS age
FROM unnest(ARRAY['BATCHED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN']) AS s (state)
LEFT JOIN (SELECT state, created_at FROM payout WHERE state IN ('BATCHED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN')
           ORDER BY created_at LIMIT {_MOST}) AS p USING (state)
GROUP BY s.state
"""  # noqa: S608

_UNCLEAR = """
SELECT s.age, count(a.since) AS attempts
FROM unnest(ARRAY['under_10m', 'under_1h', 'under_1d', 'over_1d']) AS s (age)
LEFT JOIN (
    SELECT unclear_since AS since,
           CASE WHEN unclear_since > now() - interval '10 minutes' THEN 'under_10m'
                WHEN unclear_since > now() - interval '1 hour' THEN 'under_1h'
                WHEN unclear_since > now() - interval '1 day' THEN 'under_1d' ELSE 'over_1d' END AS age
    FROM attempt WHERE state IN ('CREATED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN') AND unclear_since IS NOT NULL
) AS a USING (age)
GROUP BY s.age
"""

# What a vendor's batches have taken from its prefund in the last day, less what they gave back.
_LOW = """
WITH burn AS (
    SELECT vendor_id, currency, sum(reserved - coalesce(released, 0)) AS burnt FROM reserve
    WHERE reserved_at > now() - interval '1 day' GROUP BY vendor_id, currency)
SELECT burn.currency, count(*) FILTER (WHERE coalesce(b.amount, 0) < burn.burnt) AS vendors
FROM burn
LEFT JOIN account a ON a.code = 'vendor:' || burn.vendor_id || ':prefund' AND a.currency = burn.currency
LEFT JOIN balance b ON b.account_id = a.id
GROUP BY burn.currency
"""


async def _going(tx: Transaction, _: object) -> Rows:
    return [{**row, "state": row["state"].lower()} for row in map(dict, await tx.fetch(_GOING))]


READINGS: Sequence[Reading[object]] = (
    Reading("imbalance", statement(_IMBALANCE), {"sum": metrics.IMBALANCE}, SELDOM),
    Reading("holds", statement(_HOLDS), {"holds": metrics.HOLDS}, SELDOM),
    Reading("payouts", _going, {"payouts": metrics.PAYOUTS, "age": metrics.PAYOUT_AGE}),
    Reading("unclear-attempts", statement(_UNCLEAR), {"attempts": metrics.UNCLEAR}),
    Reading("prefunds", statement(_LOW), {"vendors": metrics.PREFUNDS_LOW}, SELDOM),
)
"""All of them."""
