"""Qualification: which contract at IB an instrument is, asked once and kept.

Ids never change, so what was learned is kept for as long as the process lives. What is listed does
change: a chain is asked for again each session, and its roots are checked then.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import structlog

from bot.brokers.ib.bulk_details import BulkDetails, DetailRow
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.contracts import (
    ContractAmbiguous,
    ContractUnknown,
    NotOurs,
    described,
    futures_contract,
    index_contract,
    instrument_of,
    instrument_of_details,
    qualified,
    series_contract,
    wrong_terms,
)
from bot.brokers.ib.library import IB, Contract, ContractDetails, RequestError
from bot.brokers.ib.lines import SeriesRows
from strategies.model.calendars import TradingCalendar
from strategies.model.instruments import FutureContract, Instrument, OptionContract, parse_symbol

NO_DEFINITION: Final = 200
_SERIES_S: Final = 60.0  # a whole series, behind what the pacing holds back

_log = structlog.get_logger(__name__)

Progress = Callable[[str], None]


class Expirations(NamedTuple):
    """One class of options on an underlying, as the parameters of its chain have it."""

    root: str
    last_trades: tuple[str, ...]  # dates as IB spells them, ascending


class Qualifier:
    """Contracts at IB, by symbol and by id."""

    def __init__(self, session: IbSession, calendar: TradingCalendar) -> None:
        """Know nothing yet.

        Args:
            session: Asked for details; not the one that trades, whose orders would wait behind.
            calendar: Tells when futures expire.
        """
        self._session = session
        self._calendar = calendar
        self._contracts: dict[str, Contract] = {}
        self._instruments: dict[int, Instrument] = {}
        self._indices: dict[str, Contract] = {}
        self._bulk: tuple[IB, BulkDetails] | None = None

    # --- one by one ---------------------------------------------------------------------------

    async def qualify(self, instruments: Iterable[Instrument]) -> dict[str, Contract]:
        """Return the contract of each instrument by symbol; the same objects every time.

        Raises: BrokerUnavailable; ContractUnknown, ContractAmbiguous with what to do about it.
        """
        wanted = list(dict.fromkeys(instruments))
        unknown = [each for each in wanted if each.symbol not in self._contracts]
        if unknown:
            await asyncio.gather(*(self._qualify(each) for each in unknown))
        return {each.symbol: self._contracts[each.symbol] for each in wanted}

    async def find(self, instrument: Instrument) -> Contract | None:
        """Return the contract of an instrument; None if IB has none.

        Raises: BrokerUnavailable, ContractAmbiguous.
        """
        try:
            return (await self.qualify([instrument]))[instrument.symbol]
        except ContractUnknown:
            return None

    async def index(self, name: str) -> Contract | None:
        """Return an index with its id; None if IB has none of that name.

        Raises: BrokerUnavailable, ContractAmbiguous.
        """
        if name not in self._indices:
            found = await self._details(index_contract(name), f"the index {name}")
            if not found:
                return None
            if len(found) > 1:
                raise ContractAmbiguous(_several(name, found))
            contract = index_contract(name)
            assert found[0].contract is not None, "details are of a contract"
            contract.conId = found[0].contract.conId
            self._indices[name] = contract
        return self._indices[name]

    async def hours(self, name: str) -> tuple[str, str]:
        """Return an index's hours in IB's words, and its time zone; empty if IB has none.

        Raises: BrokerUnavailable.
        """
        found = await self._details(index_contract(name), f"the hours of {name}")
        return (found[0].liquidHours, found[0].timeZoneId) if found else ("", "")

    def known(self, symbol: str) -> Contract | None:
        """Return the contract of a symbol if it has been asked for before."""
        return self._contracts.get(symbol)

    def instrument(self, contract: Contract) -> Instrument:
        """Return what a contract of a position or an execution is; raises NotOurs."""
        known = self._instruments.get(contract.conId)
        if known is None:
            known = instrument_of(contract, self._calendar)
        return known

    async def symbol(self, con_id: int) -> str:
        """Return the symbol of a contract by IB's id; IB's own words for what the bot leaves alone.

        Raises: BrokerUnavailable, ContractUnknown.
        """
        known = self._instruments.get(con_id)
        if known is not None:
            return known.symbol
        for details in await self._details(Contract(conId=con_id), f"contract {con_id}"):
            try:
                found = instrument_of_details(details, self._calendar)
            except NotOurs:
                contract = details.contract
                return str(contract.localSymbol or contract.symbol or con_id)
            self._instruments[con_id] = found
            return found.symbol
        return str(con_id)

    # --- by the chain -------------------------------------------------------------------------

    async def expirations(self, underlying: str) -> tuple[Expirations, ...]:
        """Return the option classes on SPX or VIX with their expirations, by class.

        Raises: BrokerUnavailable, ContractUnknown, ContractAmbiguous.
        """
        index = await self.index(underlying)
        if index is None:
            raise ContractUnknown(
                f"IB knows no index {underlying} at CBOE; is the login permitted?"
            )
        about = f"the option chain of {underlying}"
        ib = await self._session.ready()
        try:
            chains = await self._session.ask(
                about, ib.reqSecDefOptParamsAsync, underlying, "", "IND", index.conId
            )
        except RequestError as refusal:
            raise ContractUnknown(
                f"{about}: IB says {refusal.message} ({refusal.code})"
            ) from refusal
        by_root: dict[str, set[str]] = {}
        for chain in chains:
            by_root.setdefault(chain.tradingClass, set()).update(chain.expirations)
        return tuple(Expirations(root, tuple(sorted(by_root[root]))) for root in sorted(by_root))

    async def series(self, root: str, last_trade: str) -> tuple[SeriesRows, ...]:
        """Return what is listed of a class and date; usually one series, none if it is gone.

        Raises: BrokerUnavailable.
        """
        about = f"{root} options of {last_trade}"
        contract = series_contract(root, last_trade)
        try:
            bulk = self._bulk_details(await self._session.ready())
            rows = await bulk.ask(contract, about, within_s=_SERIES_S)
        except RequestError as refusal:
            if refusal.code != NO_DEFINITION:
                raise ContractUnknown(
                    f"{about}: IB says {refusal.message} ({refusal.code})"
                ) from refusal
            return ()
        by_prefix: dict[str, list[str]] = {}
        for row in rows:
            symbol = self._remember_option(row)
            if symbol is not None:
                by_prefix.setdefault(symbol[:12], []).append(symbol)
        found = []
        for symbols in by_prefix.values():
            first = self._option(symbols[0])
            found.append(SeriesRows(first.root, first.expiry, tuple(symbols)))
        return tuple(sorted(found, key=lambda each: (each.expiry, each.root)))

    async def futures(self, root: str) -> tuple[FutureContract, ...]:
        """Return the listed futures of VX or VXM, by expiry; none if IB lists none.

        Raises: BrokerUnavailable.
        """
        found = []
        for details in await self._details(futures_contract(root), f"the futures of {root}"):
            try:
                future = instrument_of_details(details, self._calendar)
            except NotOurs:
                continue
            if isinstance(future, FutureContract) and future.root == root:
                self._remember(future, details)
                found.append(future)
        return tuple(sorted(found, key=lambda each: each.expiry))

    # --- asking -------------------------------------------------------------------------------

    async def _qualify(self, instrument: Instrument) -> None:
        candidates = await self._details(described(instrument), str(instrument))
        fitting = []
        for details in candidates:
            try:
                found = instrument_of_details(details, self._calendar)
            except NotOurs:
                continue
            if found == instrument:
                fitting.append(details)
        ids = {details.contract.conId for details in fitting if details.contract is not None}
        if len(ids) > 1:
            raise ContractAmbiguous(_several(str(instrument), fitting))
        if not fitting:
            others = ", ".join(_named(each) for each in candidates) or "nothing"
            raise ContractUnknown(
                f"IB has no contract {instrument.symbol!r} ({instrument}); it offers {others}. "
                "Has it expired, or is the strike not listed?"
            )
        self._remember(instrument, fitting[0])

    async def _details(self, contract: Contract, about: str) -> Sequence[ContractDetails]:
        ib = await self._session.ready()
        try:
            return await self._session.ask(
                about, ib.reqContractDetailsAsync, contract, within_s=_SERIES_S
            )
        except RequestError as refusal:
            if refusal.code == NO_DEFINITION:
                return ()
            raise ContractUnknown(
                f"{about}: IB says {refusal.message} ({refusal.code})"
            ) from refusal

    def _bulk_details(self, ib: IB) -> BulkDetails:
        if self._bulk is None or self._bulk[0] is not ib:
            self._bulk = (ib, BulkDetails(self._session, ib))
        return self._bulk[1]

    def _remember(self, instrument: Instrument, details: ContractDetails) -> None:
        contract = details.contract
        assert contract is not None, "details are of a contract"
        if (wrong := wrong_terms(contract, instrument)) is not None:
            raise ContractUnknown(f"{instrument} at IB is not what it is here: {wrong}")
        known = self._contracts.get(instrument.symbol)
        if known is None or known.conId != contract.conId:
            self._keep(
                instrument,
                qualified(
                    instrument,
                    contract.conId,
                    contract.lastTradeDateOrContractMonth,
                    contract.localSymbol,
                ),
            )

    def _remember_option(self, row: DetailRow) -> str | None:
        symbol = row.local_symbol
        known = self._contracts.get(symbol)
        if known is not None and known.conId == row.con_id:
            return symbol
        found = Contract(
            secType="OPT",
            conId=row.con_id,
            localSymbol=symbol,
            tradingClass=row.trading_class,
            multiplier=row.multiplier,
            currency=row.currency,
        )
        try:
            option = instrument_of(found, self._calendar)
        except NotOurs as cause:
            _log.warning("contract_not_understood", contract=symbol, why=str(cause))
            return None
        if (wrong := wrong_terms(found, option)) is not None:
            _log.warning("contract_with_other_terms", contract=symbol, why=wrong)
            return None
        self._keep(option, qualified(option, row.con_id, row.last_trade, symbol))
        return option.symbol

    def _keep(self, instrument: Instrument, contract: Contract) -> None:
        self._contracts[instrument.symbol] = contract
        self._instruments[contract.conId] = instrument

    def _option(self, symbol: str) -> OptionContract:
        found = self._instruments.get(self._contracts[symbol].conId) or parse_symbol(symbol)
        assert isinstance(found, OptionContract), "series are of options"
        return found


def _several(name: str, candidates: Sequence[ContractDetails]) -> str:
    offered = ", ".join(_named(each) for each in candidates)
    return (
        f"IB has several contracts for {name}: {offered}. The bot trades one of them; close or "
        "exclude the others at IB, or report the contract if its class is new"
    )


def _named(details: ContractDetails) -> str:
    contract = details.contract
    assert contract is not None, "details are of a contract"
    local = contract.localSymbol or contract.symbol
    return f"{local} {contract.tradingClass} {contract.exchange} (conId {contract.conId})"
