"""Requests about the account: values, positions, profit and loss."""

from collections.abc import Callable

from bot.gateway.account_feed import MultiUpdates
from bot.gateway.dispatch.call import Call, Handler, Refused
from bot.gateway.faults import FaultKind


def updates(call: Call) -> None:
    """Start or stop account updates."""
    if not call.values["subscribe"]:
        call.accounts.cancel_updates()
        return
    call.check_account()
    call.accounts.subscribe_updates(call.at)


def updates_multi(call: Call) -> None:
    """Start the updates of an account and model."""
    call.check_account()
    wanted = MultiUpdates(
        account=call.values.get("account", ""),
        model_code=call.values.get("modelCode", ""),
        ledger_only=bool(call.values.get("ledgerAndNLV", False)),
    )
    call.accounts.subscribe_multi(call.req_id, wanted, call.at)


def cancel_updates_multi(call: Call) -> None:
    """Stop them."""
    call.accounts.cancel_multi(call.req_id)


def summary(call: Call) -> None:
    """Start a summary; a client may have two."""
    if call.req_id not in call.accounts.summaries:
        most = call.parts.settings.account_summaries_max
        if len(call.accounts.summaries) >= most:
            raise Refused(
                322,
                "Error processing request.-'bU' : cause - Maximum number of account summary "
                "requests exceeded",
            )
    call.accounts.subscribe_summary(call.req_id, call.values.get("tags", ""), call.at)


def cancel_summary(call: Call) -> None:
    """Stop it."""
    call.accounts.cancel_summary(call.req_id)


def positions(call: Call) -> None:
    """Start the positions."""
    _late_or_never(call, call.accounts.subscribe_positions)


def cancel_positions(call: Call) -> None:
    """Stop them."""
    call.accounts.cancel_positions()


def positions_multi(call: Call) -> None:
    """Start the positions of an account and model."""
    call.check_account()
    model_code = call.values.get("modelCode", "")
    _late_or_never(call, lambda: call.accounts.subscribe_positions_multi(call.req_id, model_code))


def cancel_positions_multi(call: Call) -> None:
    """Stop them."""
    call.accounts.cancel_positions_multi(call.req_id)


def profit(call: Call) -> None:
    """Start the account's profit and loss."""
    call.check_account()
    call.accounts.subscribe_profit(call.req_id)


def cancel_profit(call: Call) -> None:
    """Stop it."""
    call.accounts.cancel_profit(call.req_id)


def single_profit(call: Call) -> None:
    """Start one contract's profit and loss."""
    call.check_account()
    call.accounts.subscribe_single_profit(call.req_id, call.values["conId"])


def cancel_single_profit(call: Call) -> None:
    """Stop it."""
    call.accounts.cancel_single_profit(call.req_id)


def _late_or_never(call: Call, answer: Callable[[], None]) -> None:
    about = {"client_id": call.session.client_id, "message_kind": call.kind}
    if call.parts.faults.strikes(FaultKind.POSITIONS_NEVER, **about):
        return
    late = call.parts.faults.strikes(FaultKind.POSITIONS_LATE, **about)
    if late is None:
        answer()
    else:
        call.parts.agenda.after(late.seconds(), answer)


HANDLERS: dict[str, Handler] = {
    "reqAccountUpdates": updates,
    "reqAccountUpdatesMulti": updates_multi,
    "cancelAccountUpdatesMulti": cancel_updates_multi,
    "reqAccountSummary": summary,
    "cancelAccountSummary": cancel_summary,
    "reqPositions": positions,
    "cancelPositions": cancel_positions,
    "reqPositionsMulti": positions_multi,
    "cancelPositionsMulti": cancel_positions_multi,
    "reqPnL": profit,
    "cancelPnL": cancel_profit,
    "reqPnLSingle": single_profit,
    "cancelPnLSingle": cancel_single_profit,
}
