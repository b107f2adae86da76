"""Money: whole minor units with an ISO 4217 currency inside, ``google.type.Money`` at the API. Never a float."""

from __future__ import annotations

from functools import cache

from google.type.money_pb2 import Money
from iso4217 import Currency

from chassis.errors import InvalidArgument

BASIS_POINTS = 10_000
_SECONDS_PER_HOUR = 3_600
_NANOS = 1_000_000_000

# No sum of money overflows 64 bits, because none of these does: see docs/decisions/0078. Minor units, of any currency.
GREATEST_AMOUNT = 10**15
"""What one fact may move: a deposit, the worst case of a batch, a payout."""
GREATEST_FUNDS = 10**16
"""What a vendor may have with us, free and reserved."""
GREATEST_BALANCE = 4 * 10**18
"""What may come in of a currency by one account. It does by two, our bank and our expense: others hold twice this."""


class InvalidMoney(InvalidArgument):
    """The amount is malformed: finer than the currency's minor unit, or of mixed signs."""

    reason = "INVALID_MONEY"


class AmountTooLarge(InvalidArgument):
    """The amount is more than one transfer may be: look whether it is in the currency's own units."""

    reason = "AMOUNT_TOO_LARGE"


class UnknownCurrency(InvalidArgument):
    """The currency is not an ISO 4217 code with a minor unit."""

    reason = "UNKNOWN_CURRENCY"


@cache
def exponent(currency: str) -> int:
    """The number of decimals of a currency's minor unit: 2 for USD, 0 for JPY, 3 for BHD.

    Raises `UnknownCurrency`, also for codes without a minor unit, such as gold.
    """
    try:
        decimals = Currency(currency).exponent
    except ValueError:
        decimals = None
    if decimals is None:
        raise UnknownCurrency(currency=currency)
    return decimals


def known(currency: str) -> str:
    """The currency itself, to be kept. Raises `UnknownCurrency` for one that no amount could be shown in later."""
    exponent(currency)
    return currency


def to_proto(minor: int, currency: str) -> Money:
    """The API form of an amount in minor units. Raises `UnknownCurrency`."""
    scale = 10 ** exponent(currency)
    units, rest = divmod(abs(minor), scale)
    nanos = rest * (_NANOS // scale)
    sign = -1 if minor < 0 else 1
    return Money(currency_code=currency, units=sign * units, nanos=sign * nanos)


def from_proto(money: Money, field: str) -> tuple[int, str]:
    """Minor units and currency of an API amount.

    Raises `UnknownCurrency`, or `InvalidMoney` naming `field`: units and nanos of opposite signs, nanos of a whole unit
    or more, or a fraction finer than the minor unit. Raises `AmountTooLarge` beyond `GREATEST_AMOUNT` on either side.
    """
    try:
        scale = 10 ** exponent(money.currency_code)
    except UnknownCurrency as error:
        raise UnknownCurrency(field=f"{field}.currency_code", currency=money.currency_code) from error
    if abs(money.nanos) >= _NANOS or money.units * money.nanos < 0:
        raise InvalidMoney(field=field)
    minor, finer = divmod(money.units * _NANOS + money.nanos, _NANOS // scale)
    if finer:
        raise InvalidMoney(field=field)
    if abs(minor) > GREATEST_AMOUNT:
        raise AmountTooLarge(field=field, minor=str(minor), most_minor=str(GREATEST_AMOUNT))
    return minor, money.currency_code


def share(minor: int, basis_points: int) -> int:
    """A share of an amount in basis points (10,000 is all of it), rounded half to even, exact for any size."""
    return part(minor, basis_points, BASIS_POINTS)


def part(minor: int, of: int, whole: int) -> int:
    """An amount's part as an integer ratio, `of` to `whole`, rounded half to even, exact for any size."""
    return _half_even(minor * of, whole)


def price(rate_minor_per_hour: int, seconds: int) -> int:
    """What some seconds cost at an hourly rate, in minor units, rounded half to even, exact for any size."""
    return part(rate_minor_per_hour, seconds, _SECONDS_PER_HOUR)


def _half_even(numerator: int, denominator: int) -> int:
    whole, rest = divmod(numerator, denominator)
    over_half = 2 * rest - denominator
    return whole + 1 if over_half > 0 or (over_half == 0 and whole % 2) else whole
