"""Profit and loss of the book at the end of a session, from the ledger and the broker's marks."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np

from bot.ports import Broker, MarketData
from state.ledger import DailyPnl, Ledger
from strategies.model.book import CondorPosition, HedgePosition
from strategies.model.quotes import to_price

_SPX_MULTIPLIER = 100


async def measure_profit(
    ledger: Ledger, broker: Broker, market_data: MarketData, *, session: date, at: datetime
) -> DailyPnl:
    """Return the account at the end of ``session``: realised, unrealised, fees, hedge cost.

    Deposits + realised + unrealised - fees equals net liquidation once every mark is known.
    A position the broker does not mark counts as neither gained nor lost.

    Raises: BrokerUnavailable.
    """
    account = await broker.fetch_account()
    marks = await broker.fetch_marks()
    book = ledger.book(at)
    realised = ledger.realised_pnl()
    last = ledger.last_decision()
    measures = None if last is None else last.plan.before  # what was there, not what was meant
    spx_close, vix_close = await _closes(market_data, session)
    return DailyPnl(
        session=session,
        at=at,
        net_liquidation_usd=account.net_liquidation_usd,
        cash_usd=account.cash_usd,
        condor_realised_usd=realised.condors_usd,
        condor_unrealised_usd=sum(
            (_unrealised_condor(condor, marks) for condor in book.condors), Decimal(0)
        ),
        hedge_realised_usd=realised.hedges_usd,
        hedge_unrealised_usd=sum(
            (_unrealised_hedge(hedge, marks) for hedge in book.hedges), Decimal(0)
        ),
        fees_usd=realised.fees_usd,
        hedge_cost_365d_usd=book.hedge_cost_365d_usd,
        spx_close=spx_close,
        vix_close=vix_close,
        condors_open=len(book.condors),
        net_vega_per_condor=None if measures is None else measures.net_vega_per_condor,
    )


def _unrealised_condor(condor: CondorPosition, marks: Mapping[str, float]) -> Decimal:
    legs = condor.legs.signed()
    if any(contract.symbol not in marks for contract, _ in legs):
        return Decimal(0)
    value = sum(sign * marks[contract.symbol] for contract, sign in legs)
    return (condor.entry_credit + to_price(value)) * _SPX_MULTIPLIER * condor.quantity


def _unrealised_hedge(hedge: HedgePosition, marks: Mapping[str, float]) -> Decimal:
    if (mark := marks.get(hedge.instrument.symbol)) is None:
        return Decimal(0)
    gain = to_price(mark) - hedge.average_cost
    return gain * hedge.instrument.multiplier * hedge.net_contracts


async def _closes(market_data: MarketData, session: date) -> tuple[float | None, float | None]:
    """Return the official closes of SPX and VIX, None where the session has none yet."""
    history = await market_data.fetch_history(session + timedelta(days=1))
    if not len(history.session) or history.session[-1] != np.datetime64(session):
        return None, None
    closes = (float(history.spx_close[-1]), float(history.vix_close[-1]))
    spx, vix = (close if np.isfinite(close) else None for close in closes)
    return spx, vix
