"""What is proven once at the start, before anything may be sent.

One series of each class that is traded is read as the bot will read it: a gateway or a library of
another version that spells contracts otherwise is found out here, and not by an order (fault B16).
A what-if tells whether the API takes orders at all (fault B9). IB's hours of the coming week are
compared with the calendar (faults D11, D13).
"""

from typing import Final

import structlog

from bot.brokers.ib.broker_hours import surprising_days
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.library import Order, RequestError
from bot.brokers.ib.margin import ask_margin
from bot.brokers.ib.orders import ORDER_TYPE, TIME_IN_FORCE
from bot.brokers.ib.qualifier import Qualifier
from bot.errors import BrokerUnavailable, HaltTrading, MarketDataMissing
from strategies.model.calendars import TradingCalendar
from strategies.model.instruments import Instrument, parse_symbol

log = structlog.get_logger(__name__)

_CLASSES: Final = {"SPX": ("SPX", "SPXW"), "VIX": ("VIX",)}
_VALIDATION: Final = 321
_ANSWER_S: Final = 5.0


class SelfTest:
    """Reads contracts and asks a what-if; places nothing.

    Args:
        session: The connection that trades.
        qualifier: Reads contracts.
        calendar: Sessions and early closes the bot goes by.
    """

    def __init__(self, session: IbSession, qualifier: Qualifier, calendar: TradingCalendar) -> None:
        self._session = session
        self._qualifier = qualifier
        self._calendar = calendar

    async def run(self) -> None:
        """Return if the bot can read what it trades, and may trade it.

        Raises: HaltTrading with what to do about it; BrokerUnavailable.
        """
        try:
            read = [await self._future()]
            for underlying, roots in _CLASSES.items():
                read += [await self._option(underlying, root) for root in roots]
        except MarketDataMissing as cause:
            raise HaltTrading(f"start-up test: {cause}. Nothing was sent") from cause
        await self._knows_the_days()
        await self._may_trade(read[-1])
        log.info("start-up test passed", contracts=[each.symbol for each in read])

    async def _future(self) -> Instrument:
        futures = await self._qualifier.futures("VX")
        if not futures:
            raise MarketDataMissing("IB lists no VX future that can be read")
        return futures[0]

    async def _option(self, underlying: str, root: str) -> Instrument:
        """Return one contract of a class, of the second expiry: the first may be about to end."""
        listed = {each.root: each for each in await self._qualifier.expirations(underlying)}
        if root not in listed:
            raise MarketDataMissing(f"IB lists no {root} options")
        dates = listed[root].last_trades
        for last_trade in dates[1:2] or dates:
            for series in await self._qualifier.series(root, last_trade):
                if series.root == root and series.symbols:
                    return parse_symbol(series.symbols[len(series.symbols) // 2])
        raise MarketDataMissing(f"of IB's {root} options none can be read")

    async def _knows_the_days(self) -> None:
        """Find days that IB ends early, or does not open, and nobody has told the bot about."""
        hours, zone_name = await self._qualifier.hours("SPX")
        if days := surprising_days(hours, zone_name, self._calendar):
            raise HaltTrading(
                f"start-up test: by IB's hours {', '.join(days)}; write that into the file of "
                "calendar_overrides, or find out why. Nothing was sent"
            )

    async def _may_trade(self, instrument: Instrument) -> None:
        """Ask what one contract would do to margin; an answer of any kind but one will do."""
        contracts = await self._qualifier.qualify([instrument])
        order = Order(
            action="BUY",
            totalQuantity=1,
            orderType=ORDER_TYPE,
            lmtPrice=0.05,
            tif=TIME_IN_FORCE,
            account=self._session.settings.account,
        )
        try:
            await ask_margin(self._session, contracts[instrument.symbol], order, within_s=_ANSWER_S)
        except RequestError as refusal:
            if refusal.code == _VALIDATION and "read-only" in refusal.message.lower():
                raise HaltTrading(
                    "the gateway's API is read-only, and trading is configured: switch Configure > "
                    "Settings > API > Read-Only API off, or run `ib_shadow`. Nothing was sent"
                ) from refusal
        except BrokerUnavailable as silence:
            log.warning("start-up test: no word on margin", reason=str(silence))
