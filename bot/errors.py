"""Runtime errors, grouped by what the engine must do next.

BotError
├── RetryLater          nothing happened; the same call is safe again
│   └── BrokerUnavailable
├── ReconcileFirst      something may have happened; ask the broker before acting
│   └── OutcomeUnknown
├── SkipInterval        refused for a known reason; record it and wait
│   ├── OrderRejected
│   └── MarketDataMissing
└── HaltTrading         the books disagree; a person must look
    ├── BooksDisagree
    └── WrongAccount
"""


class BotError(Exception):
    """Base of every runtime error."""


class RetryLater(BotError):
    """Nothing happened; the same call is safe again."""


class ReconcileFirst(BotError):
    """Something may have happened; ask the broker before acting."""


class SkipInterval(BotError):
    """Refused for a known reason; record it and wait for the next interval."""


class HaltTrading(BotError):
    """The books disagree; a person must look."""


class BrokerUnavailable(RetryLater):
    """Not connected, and nothing was sent."""


class OutcomeUnknown(ReconcileFirst):
    """The order was sent and what became of it is not proven."""


class OrderRejected(SkipInterval):
    """The broker refused the order."""


class MarketDataMissing(SkipInterval):
    """The market data of this interval is not complete enough to decide on."""


class BooksDisagree(HaltTrading):
    """Ledger and broker report different fills, positions or cash."""


class WrongAccount(HaltTrading):
    """The account behind the connection is not the one that was asked for; nothing was sent."""
