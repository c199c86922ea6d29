"""What this machine has sent to IB under its own ids, kept where a restart finds it.

An id that has been sent once is never sent again by itself, also where IB does not list it: it may
be under way (faults A1, A4). And the numbers of orders go on counting where a gateway that was
started anew has forgotten them (fault A23).
"""

import json
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import structlog

from bot.brokers.ib.orders import LegLine, Package
from strategies.model.ids import ClientOrderId

log = structlog.get_logger(__name__)


class SentOrders(Mapping[ClientOrderId, Package]):
    """Orders by our ids, as they were sent: a JSON line each, on disk before the first byte leaves.

    Args:
        path: The file, created with the first order; None remembers for this process only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._sent: dict[ClientOrderId, Package] = {}
        self._highest: dict[int, int] = {}  # number of an order, by client id
        if path is not None and path.exists():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            for number, text in enumerate(lines, start=1):
                if not text:
                    continue
                try:
                    self._take(json.loads(text))
                except (ValueError, KeyError, TypeError, ArithmeticError):
                    # cut off when the machine went down; an order is sent after its line is whole
                    log.warning("line of sent orders left out", path=str(path), line=number)

    def __getitem__(self, reference: ClientOrderId) -> Package:
        """Return what was sent under an id."""
        return self._sent[reference]

    def __iter__(self) -> Iterator[ClientOrderId]:
        """Return the ids."""
        return iter(self._sent)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._sent)

    def highest_id(self, client_id: int) -> int:
        """Return the highest number a client of this machine has given to an order; 0 for none."""
        return self._highest.get(client_id, 0)

    def record(
        self, reference: ClientOrderId, package: Package, *, order_id: int, client_id: int
    ) -> None:
        """Put an order on disk that is about to be sent.

        Raises: OSError if that is not possible; then nothing may be sent.
        """
        self._write(
            {
                "sent": reference,
                "order_id": order_id,
                "client_id": client_id,
                "legs": [[leg.con_id, leg.ratio] for leg in package.legs],
                "quantity": package.quantity,
                "limit": str(package.limit_price),
            }
        )

    def take_back(self, reference: ClientOrderId) -> None:
        """Take note that not a byte of an order has left."""
        self._write({"not_sent": reference})

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, values: Mapping[str, Any]) -> None:
        if self._path is not None:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("a", encoding="utf-8", newline="\n")
                if self._file.tell():
                    self._file.write("\n")  # ends a line that was cut off; an empty one is none
            self._file.write(json.dumps(values, separators=(",", ":")) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        self._take(values)

    def _take(self, values: Mapping[str, Any]) -> None:
        if "not_sent" in values:
            self._sent.pop(values["not_sent"], None)
            return
        client_id, order_id = int(values["client_id"]), int(values["order_id"])
        self._sent[ClientOrderId(values["sent"])] = Package(
            legs=tuple(LegLine(int(con_id), int(ratio)) for con_id, ratio in values["legs"]),
            quantity=int(values["quantity"]),
            limit_price=Decimal(values["limit"]),
        )
        self._highest[client_id] = max(self.highest_id(client_id), order_id)
