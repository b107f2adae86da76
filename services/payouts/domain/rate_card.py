"""What a rate card may say."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chassis.errors import InvalidArgument

# As tasking's projects name them.
_TIER = re.compile(r"[A-Z][A-Z0-9]{0,7}")
_GREATEST_RATE = 10**12


class InvalidTiers(InvalidArgument):
    """The tiers are malformed: a name is not like "P1" or comes twice, or a rate is not above zero or too large."""

    reason = "INVALID_TIERS"


def check_tiers(tiers: Sequence[tuple[str, int]]) -> None:
    """Checks tiers and their rates in minor units an hour. Raises `InvalidTiers` naming each field at fault."""
    names = [name for name, _ in tiers]
    wrong = []
    for place, (name, rate) in enumerate(tiers):
        at = f"rate_card.tiers[{place}]"
        if not _TIER.fullmatch(name):
            wrong.append((f"{at}.tier", "must be a capital letter and up to seven capital letters or digits"))
        elif name in names[:place]:
            wrong.append((f"{at}.tier", "is named twice"))
        if not 0 < rate <= _GREATEST_RATE:
            wrong.append((f"{at}.rate_minor_per_hour", f"must be above zero and at most {_GREATEST_RATE}"))
    if wrong:
        raise InvalidTiers(violations=wrong)
