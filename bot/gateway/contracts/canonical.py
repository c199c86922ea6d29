"""Makes each contract in IB's own words, every field as IB would return it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from bot.gateway import words
from bot.gateway.contracts.errors import NoDefinition
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.numbers import con_id_of, named_con_id
from bot.gateway.contracts.symbols import (
    STANDS,
    eight_digits,
    future_local_symbol,
)
from strategies.model.instruments import ROOTS, FutureContract, OptionContract
from strategies.model.ticks import leg_tick

CHICAGO: Final = ZoneInfo("America/Chicago")
INDEX_TICK: Final = Decimal("0.01")


class Terms(NamedTuple):
    """What every contract of one root and expiry has in common."""

    root: str
    expiry: date
    last_trade_at: datetime
    settles_at: datetime

    @property
    def last_trade_day(self) -> date:
        """IB's lastTradeDate: the expiry of SPXW and VX, the session before it of AM options."""
        return self.last_trade_at.astimezone(CHICAGO).date()


def option_listed(option: OptionContract, terms: Terms, exchange: str = "SMART") -> Listed:
    """Return an option; raises NoDefinition for a strike that no exchange lists."""
    con_id = con_id_of(option)
    if con_id is None:
        raise NoDefinition
    spec = ROOTS[option.root]
    return Listed(
        con_id=con_id,
        contract=words.Contract(
            con_id=con_id,
            symbol=spec.underlying,
            sec_type="OPT",
            last_trade_date=eight_digits(terms.last_trade_day),
            strike=float(option.strike),
            right=option.right.value,
            multiplier=str(spec.multiplier),
            exchange=exchange,
            currency="USD",
            local_symbol=option.symbol,
            trading_class=option.root,
        ),
        instrument=option,
        last_trade_at=terms.last_trade_at,
        settles_at=terms.settles_at,
        min_tick=leg_tick(option, Decimal(0)),
    )


def future_listed(future: FutureContract, terms: Terms) -> Listed:
    """Return a future; IB's symbol of the VX is VIX, that of the VXM is VXM."""
    con_id = con_id_of(future)
    if con_id is None:
        raise NoDefinition
    return Listed(
        con_id=con_id,
        contract=words.Contract(
            con_id=con_id,
            symbol="VIX" if future.root == "VX" else future.root,
            sec_type="FUT",
            last_trade_date=eight_digits(terms.last_trade_day),
            multiplier=str(future.multiplier),
            exchange="CFE",
            currency="USD",
            local_symbol=future_local_symbol(future.root, future.expiry),
            trading_class=future.root,
        ),
        instrument=future,
        last_trade_at=terms.last_trade_at,
        settles_at=terms.settles_at,
        min_tick=leg_tick(future, Decimal(0)),
    )


def index_listed(name: str) -> Listed:
    """Return an index."""
    con_id = named_con_id(name)
    return Listed(
        con_id=con_id,
        contract=words.Contract(
            con_id=con_id,
            symbol=name,
            sec_type="IND",
            exchange="CBOE",
            currency="USD",
            local_symbol=name,
        ),
        index=name,
        min_tick=INDEX_TICK,
    )


def stand_listed(con_id: int) -> Listed:
    """Return one of the contracts that are known here but not traded."""
    stand = STANDS[con_id]
    return Listed(
        con_id=con_id,
        contract=words.Contract(
            con_id=con_id,
            symbol=stand.symbol,
            sec_type=stand.sec_type,
            exchange=stand.exchange,
            primary_exchange=stand.primary_exchange,
            currency=stand.currency,
            local_symbol=stand.local_symbol,
            trading_class=stand.trading_class,
        ),
        stand_in=stand.local_symbol,
        min_tick=Decimal(stand.min_tick),
    )
