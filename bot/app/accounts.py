"""The account of ours at an exchange of ours, as its section of the configuration has it."""

from pathlib import Path

from bot.app.config.schema import IbShadowBrokerSection, SimulatedBrokerSection
from bot.exchange.exchange import Exchange, Outside
from bot.exchange.market import Market


def open_account(
    broker: SimulatedBrokerSection | IbShadowBrokerSection,
    market: Market,
    journal_path: Path | None,
    outside: Outside | None = None,
) -> Exchange:
    """Open an exchange with the account, as its journal has it or new.

    Args:
        broker: Whose account it is, and on what terms.
        market: Where prices come from.
        journal_path: Where its inputs are written down; None keeps nothing.
        outside: Of a market taken down from a real one.

    Raises: JournalMismatch, JournalDamaged.
    """
    return Exchange(
        market,
        account_id=broker.account,
        starting_cash_usd=broker.starting_cash_usd,
        seed=broker.seed,
        journal_path=journal_path,
        margin_convention=broker.margin,
        fees=broker.fees,
        fill_model=broker.fill_model,
        outside=outside,
    )
