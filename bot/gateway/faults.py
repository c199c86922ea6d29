"""Faults on demand: what IB does wrong, done wrong here when a script or a seed says so.

The server and the order desk ask ``Faults.strikes`` at named points; without a plan the answer is
always None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class FaultKind(StrEnum):
    """The named points at which something can be made to go wrong."""

    # --- the connection; they come by themselves, at an instant
    NIGHTLY_RESET = "nightly_reset"  # sockets closed, server away for `seconds`
    WEEKLY_LOGIN = "weekly_login"  # port open, startApi never answered, for `seconds`
    CONNECTIVITY_LOST = "connectivity_lost"  # 1100, then 1101 or 1102 (`data_kept`) after `seconds`
    MARKET_FARM_DOWN = "market_farm_down"  # 2103, quotes stand still, 2104 after `seconds`
    HISTORY_FARM_DOWN = "history_farm_down"  # 2105, no history, 2106 after `seconds`
    SOCKET_CLOSED = "socket_closed"  # at once, also in the middle of an order
    HALF_OPEN = "half_open"  # the socket stays open and silent for `seconds`
    SILENT_DELAYED_DATA = "silent_delayed_data"  # marketDataType 3 and old quotes, for `seconds`
    COMPETING_SESSION = "competing_session"  # 10197, quotes stop, for `seconds`
    CLOCK_SKEW = "clock_skew"  # the gateway's clock is `seconds` off from here on
    # --- asked when a message comes in or goes out
    PACING_DISCONNECT = "pacing_disconnect"  # 100 and the socket closed, whatever was sent
    ORDER_ID_ROLLBACK = "order_id_rollback"  # nextValidId is `orders` lower than it was
    END_MISSING = "end_missing"  # the end message named by `kind` is never sent
    CALLBACK_DUPLICATED = "callback_duplicated"  # the message named by `kind` is sent twice
    CALLBACK_REORDERED = "callback_reordered"  # it is sent after the next one
    CALLBACK_DELAYED = "callback_delayed"  # it is sent `seconds` later
    POSITIONS_LATE = "positions_late"  # position and positionEnd come `seconds` later
    POSITIONS_NEVER = "positions_never"  # and never
    BAG_DETAILS_SILENT = "bag_details_silent"  # contract details of a BAG are never answered
    # --- asked by the order desk
    LOST_ACK = "lost_ack"  # the order works, nothing is said until it is asked for
    ORDER_DROPPED = "order_dropped"  # the order vanishes without a word
    ORDER_REJECTED = "order_rejected"  # 201 with `text`
    ORDER_INACTIVE = "order_inactive"  # status Inactive, nothing else
    ORDER_CANCELLED_BY_SYSTEM = "order_cancelled_by_system"  # 202 some time after it went live
    ORDER_NOTICE = "order_notice"  # `code` 10349, 399, 2109, 404 ...: says something, order lives
    ECHO_CHANGED = "echo_changed"  # openOrder shows another order: IB's fields by name in `details`
    PRICE_REFUSED = "price_refused"  # 110 on placing or modifying
    MODIFY_FILLED = "modify_filled"  # 104
    MODIFY_MISMATCH = "modify_mismatch"  # 105, the original lives
    MODIFY_DOUBLES = "modify_doubles"  # both the old and the new order are live
    CANCEL_NOT_FOUND = "cancel_not_found"  # 10147, the order lives
    CANCEL_IGNORED = "cancel_ignored"  # nothing happens
    FILL_BEFORE_OPEN_ORDER = "fill_before_open_order"  # execDetails comes first
    FILLED_BEFORE_EXECUTION = "filled_before_execution"  # status Filled comes first
    COMMISSION_FIRST = "commission_first"  # before its execution
    COMMISSION_LATE = "commission_late"  # `seconds` later
    COMMISSION_NEVER = "commission_never"  # only executions asked for again bring it
    COMMISSION_UNSET = "commission_unset"  # realizedPNL and commission 1.7976931348623157E308
    EXECUTION_CORRECTED = "execution_corrected"  # .01, then .02 with `price_change`
    PARTIAL_COMBO = "partial_combo"  # the legs' executions of a package come `seconds` apart
    WHAT_IF_UNSET_FIRST = "what_if_unset_first"  # the first answer has unset margins
    WHAT_IF_SILENT = "what_if_silent"  # and there is none


# Those that need nobody's request; a request may provoke them too
BY_THEMSELVES = frozenset(
    {
        *(FaultKind.NIGHTLY_RESET, FaultKind.WEEKLY_LOGIN, FaultKind.CONNECTIVITY_LOST),
        *(FaultKind.MARKET_FARM_DOWN, FaultKind.HISTORY_FARM_DOWN, FaultKind.SOCKET_CLOSED),
        *(FaultKind.HALF_OPEN, FaultKind.SILENT_DELAYED_DATA, FaultKind.COMPETING_SESSION),
        FaultKind.CLOCK_SKEW,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, with its particulars (``seconds``, ``code``, ``text`` ...)."""

    kind: FaultKind
    details: Mapping[str, Any] = field(default_factory=dict)

    def seconds(self, default: float = 1.0) -> float:
        """Return how long it lasts, or how late something comes."""
        return float(self.details.get("seconds", default))


class Faults(Protocol):
    """Who decides what goes wrong."""

    def strikes(self, kind: FaultKind, **about: Any) -> Fault | None:  # noqa: ANN401 particulars
        """Return the fault that strikes here and now, or None.

        Args:
            kind: The point that was reached.
            about: What it was reached with, for scripts that choose: ``message_kind``,
                ``client_id``, ``order_ref``, ``sec_type``.
        """
        ...


def may_strike(faults: Faults) -> bool:
    """Whether anything can go wrong at all; asked where asking each time would cost too much."""
    return not isinstance(faults, NoFaults)


class NoFaults:
    """Nothing goes wrong."""

    def strikes(self, kind: FaultKind, **about: Any) -> Fault | None:  # noqa: ANN401 as above
        """Return None."""
        del kind, about
        return None
