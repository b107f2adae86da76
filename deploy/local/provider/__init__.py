"""A double of a payment provider: an HTTP server that keeps its word across kill -9 and misbehaves by seed.

| call | answer |
|---|---|
| POST /v1/transfers, `Idempotency-Key` | 201 the transfer; a repeat of the key: the first stored answer, also a 500 |
| GET /v1/transfers/{id} | the transfer as it stands |
| GET /v1/transfers?reference=R | those with this reference, after the visibility lag |
| GET /v1/transfers?after=ID&limit=N | the provider's own list, complete, oldest first |
| GET /v1/statements | period length, lag, and the newest closed period |
| GET /v1/statements/{period} | the lines booked in a closed period; its name is its first second |
| GET /v1/health | 200, without a token |

A period is named like 20261123T000000Z. Every call but health needs `Authorization: Bearer TOKEN`. Errors are
`{"error": {"code", "message"}}`: 400 invalid_request, 401 unauthenticated, 404 not_found, 409 idempotency_key_reused,
in_flight or period_open, 422 invalid_destination, insufficient_funds or amount_too_small, 429 throttled (with
Retry-After), 500 internal, 503 unavailable.
"""
