"""Is this the account that was asked for? Proven from the gateway's own list, before anything else.

IB names paper accounts DU (DF for advisers' ones) and live accounts U (F, I).
"""

from collections.abc import Collection

from bot.brokers.ib.journal import masked
from bot.errors import WrongAccount

_PAPER_INITIAL = "D"


def prove_account(managed: Collection[str], wanted: str, *, is_live: bool) -> None:
    """Return if ``wanted`` is there and of the right kind.

    Args:
        managed: The accounts the gateway says it manages.
        wanted: The configured account.
        is_live: Whether live trading was asked for.

    Raises: WrongAccount with what to do about it.
    """
    live = [account for account in managed if not account.startswith(_PAPER_INITIAL)]
    if not is_live and live:
        raise WrongAccount(
            f"a LIVE account ({_list(live)}) stands behind a connection that is to be paper. "
            "Nothing was sent. Log the gateway in to paper trading, or correct broker.port "
            "(paper: 4002 or 7497)"
        )
    if is_live and not live:
        raise WrongAccount(
            f"only paper accounts ({_list(managed)}) stand behind a connection that is to be live. "
            "Log the gateway in to live trading, or configure paper trading"
        )
    if wanted not in managed:
        raise WrongAccount(
            f"account {masked(wanted)} is not among those of this login ({_list(managed)}). Set "
            "broker.account to one of them, or log the gateway in as the right user"
        )
    if wanted.startswith(_PAPER_INITIAL) is is_live:
        raise WrongAccount(
            f"account {masked(wanted)} is {'a paper' if is_live else 'a live'} account, and "
            f"{'live' if is_live else 'paper'} trading is configured"
        )


def _list(accounts: Collection[str]) -> str:
    return ", ".join(masked(account) for account in accounts) or "none"
