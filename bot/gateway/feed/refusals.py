"""What IB answers where market data is not subscribed to, in its codes and words."""

from typing import Final

from bot.gateway.contracts.listed import Listed
from bot.gateway.feed.settings import FeedSettings, Product
from strategies.model.instruments import FutureContract

DELAYED_SHOWN: Final = 10167
PARTLY: Final = 10090
UNKNOWN_TICKER: Final = 300
DUPLICATE: Final = 102
INVALID: Final = 321

_AVAILABLE: Final = "Delayed market data is available."
_TEXTS: Final = {
    354: (
        "Requested market data is not subscribed. Check API status by selecting the Account menu "
        "then under Management choose Market Data Subscription Manager and/or availability of "
        "delayed data.{available}{symbol} {product}"
    ),
    10089: (
        "Requested market data requires additional subscription for API. See link in 'Market Data "
        "Connections' dialog for more details.{available}{symbol} {product}"
    ),
    PARTLY: (
        "Part of requested market data is not subscribed. Subscription-independent ticks are still "
        "active.{available}{symbol} {product}"
    ),
    DELAYED_SHOWN: (
        "Requested market data is not subscribed. Displaying delayed market data.{symbol} {product}"
    ),
    10168: (
        "Requested market data is not subscribed. Delayed market data is not enabled."
        "{symbol} {product}"
    ),
    10186: (
        "Requested market data is not subscribed. Delayed market data is not available."
        "{symbol} {product}"
    ),
}


def text_of(code: int, listed: Listed, product: Product) -> str:
    """Return the text of a refusal."""
    return _TEXTS[code].format(
        available=_AVAILABLE, symbol=listed.contract.symbol, product=product.value
    )


def product_of(listed: Listed) -> Product | None:
    """Return what must be subscribed to for a contract's quotes; None = they are free."""
    if listed.stand_in is not None:
        return None
    if listed.index is not None:
        return Product.INDICES
    return Product.FUTURES if isinstance(listed.instrument, FutureContract) else Product.OPTIONS


def lacking(listed: Listed, settings: FeedSettings) -> Product | None:
    """Return the product a user would have to subscribe to first, or None."""
    product = product_of(listed)
    return None if product is None or product in settings.permissions else product
