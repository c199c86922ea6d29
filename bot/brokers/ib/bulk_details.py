"""Contract details by the thousand: only the columns that tell one contract from another.

The library spends half a millisecond on each contract it describes; a chain has thousands of them.
For requests made here the seven fields that matter are read straight from the message; every other
request goes the library's usual way.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.library import IB, Contract

_CONTRACT_DETAILS = 10  # IB's number of the message
_WITHOUT_VERSION_FIELD = 164  # the server version since which the message has none


class DetailRow(NamedTuple):
    """One contract of an answer, as IB spelled it."""

    con_id: int
    local_symbol: str
    last_trade: str
    trading_class: str
    multiplier: str
    currency: str


class BulkDetails:
    """Asks one client for contract details; install one a client."""

    def __init__(self, session: IbSession, ib: IB) -> None:
        """Put a reader before the library's own."""
        self._session = session
        self._ib = ib
        handlers: dict[int, Any] = ib.client.decoder.handlers
        self._usual = handlers[_CONTRACT_DETAILS]
        self._answers: dict[str, list[DetailRow]] = {}
        handlers[_CONTRACT_DETAILS] = self._read

    async def ask(self, contract: Contract, about: str, *, within_s: float) -> list[DetailRow]:
        """Return every contract a description fits, in IB's order.

        Raises: BrokerUnavailable; RequestError, with code 200 if nothing fits.
        """
        rows: list[DetailRow] = []
        await self._session.ask(about, self._request, contract, rows, within_s=within_s)
        return rows

    async def _request(self, contract: Contract, rows: list[DetailRow]) -> None:
        client = self._ib.client
        req_id = client.getReqId()
        self._answers[str(req_id)] = rows
        try:
            answer = self._ib.wrapper.startReq(req_id, contract)
            client.reqContractDetails(req_id, contract)
            await answer
        finally:
            del self._answers[str(req_id)]

    def _read(self, fields: Sequence[str]) -> None:
        start = 0 if self._ib.client.serverVersion() >= _WITHOUT_VERSION_FIELD else 1
        rows = self._answers.get(fields[start + 1])
        if rows is None:
            self._usual(fields)
            return
        rows.append(
            DetailRow(
                con_id=int(fields[start + 12]),
                local_symbol=fields[start + 9],
                last_trade=fields[start + 4].partition(" ")[0].partition("-")[0],
                trading_class=fields[start + 11],
                multiplier=fields[start + 14 if start == 0 else start + 15],
                currency=fields[start + 8],
            )
        )
