"""Contracts that are neither options nor futures: indices, and the few that only stand there."""

from collections.abc import Iterator

from bot.exchange.market import Market
from bot.gateway.contracts.canonical import index_listed, stand_listed
from bot.gateway.contracts.description import Wanted
from bot.gateway.contracts.errors import NoDefinition
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.numbers import named_con_id
from bot.gateway.contracts.symbols import INDEX_NAMES, SETTLEMENT_INDICES, STANDS

_INDEX_EXCHANGES = frozenset({"", "CBOE"})


class Others:
    """Every index the market has closes of, SET and VRO, SPY, AAPL and EUR.USD."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._indices: dict[str, Listed] = {}
        self._names = {named_con_id(name): name for name in INDEX_NAMES}
        self._stands = {con_id: stand_listed(con_id) for con_id in STANDS}

    def index(self, name: str) -> Listed:
        """Return an index by name; raises NoDefinition if the market does not know it."""
        if name not in self._indices:
            if not self._is_known(name):
                raise NoDefinition
            self._indices[name] = index_listed(name)
            self._names[named_con_id(name)] = name
        return self._indices[name]

    def by_con_id(self, con_id: int) -> Listed | None:
        """Return the contract of an id, or None."""
        if con_id in self._stands:
            return self._stands[con_id]
        name = self._names.get(con_id)
        return self.index(name) if name is not None and self._is_known(name) else None

    def find(self, wanted: Wanted) -> Iterator[Listed]:
        """Yield what a description of an index, a stock or a currency pair fits."""
        name = wanted.symbol or wanted.local_symbol
        if wanted.sec_type == "IND":
            if wanted.exchange in _INDEX_EXCHANGES and self._is_known(name):
                yield self.index(name)
            return
        for con_id, stand in STANDS.items():
            is_named = name in {stand.symbol, stand.local_symbol}
            is_there = wanted.exchange in {"", *stand.exchanges.split(",")}
            if is_named and is_there and wanted.sec_type == stand.sec_type:
                yield self._stands[con_id]

    def all(self) -> tuple[Listed, ...]:
        """Return the contracts a search may suggest."""
        indices = (self.index(name) for name in INDEX_NAMES if self._is_known(name))
        return (*indices, *self._stands.values())

    def _is_known(self, name: str) -> bool:
        if name in SETTLEMENT_INDICES:
            return True
        return self._market.closes(name, self._market.first_session) is not None
