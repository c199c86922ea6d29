"""The account in our words, from IB's list of values by key and currency."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Protocol

from bot.errors import BrokerUnavailable
from strategies.model.book import Account

_CURRENCY = "USD"
_LEDGER_PREFIX = "$LEDGER-"  # newer gateways may put it before the keys of a currency's ledger


class AccountValue(Protocol):
    """One value as the library holds it."""

    @property
    def tag(self) -> str:
        """IB's key."""
        ...

    @property
    def value(self) -> str:
        """As text."""
        ...

    @property
    def currency(self) -> str:
        """Empty for what has none."""
        ...


def account_of(values: Iterable[AccountValue]) -> Account:
    """Return the account; IB's cash is what all currencies come to, ours must be in dollars.

    Raises: BrokerUnavailable if a value is not there, or not in dollars.
    """
    in_dollars = {
        each.tag.removeprefix(_LEDGER_PREFIX): each.value
        for each in values
        if each.currency == _CURRENCY
    }

    def amount(tag: str) -> Decimal:
        try:
            return Decimal(in_dollars[tag])
        except (KeyError, InvalidOperation) as cause:
            raise BrokerUnavailable(
                f"IB did not tell {tag} in {_CURRENCY}; is that the account's base currency?"
            ) from cause

    return Account(
        net_liquidation_usd=amount("NetLiquidation"),
        cash_usd=amount("TotalCashBalance"),
        initial_margin_usd=amount("InitMarginReq"),
        maintenance_margin_usd=amount("MaintMarginReq"),
        excess_liquidity_usd=amount("ExcessLiquidity"),
    )
