"""How the provider double behaves."""

from dataclasses import dataclass, field

from deploy.local.provider.faults import Rates


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Everything that can be set. Times are in seconds, amounts in minor units."""

    seed: int = 0
    rates: Rates = field(default_factory=Rates)
    key_ttl: float = 86_400.0
    """How long a stored answer is repeated; after it the same key moves money again."""
    settle_after: float = 0.0
    """From accepted to paid or failed."""
    reverse_after: float = 5.0
    """From paid to returned or failed, for the transfers that end so."""
    lookup_lag: float = 0.0
    """How long a transfer cannot be found by its reference."""
    slow_seconds: float = 2.0
    """How late a slow answer is."""
    retry_after: int = 1
    """What a throttled caller is told to wait."""
    minimum_amount: int = 1
    balance: int | None = None
    """What may leave per currency, in all; None is without end."""
    period_length: int = 86_400
    statement_lag: float = 0.0
    """From the end of a period to its statement."""
    webhook_url: str | None = None
    webhook_spread: float = 0.0
    """Events are delivered up to this much late, each by its own draw: so they overtake each other."""
    webhook_duplicates: float = 0.0
    """The share of events that are delivered twice."""
