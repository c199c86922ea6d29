"""Plain day limit orders through the desk leave the exchange's journal as it is without one."""

import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import OutcomeUnknown
from tests.bot.exchange.venue.fakes import CALL, CONDOR, new_order, open_exchange, restless_market
from tests.bot.gateway.desk.trading import EVERYTHING, Case, limit

PACKAGES = {CONDOR: Decimal("-4.90"), f"+1 {CALL}": Decimal("0.55"), "+1 VX 19FEB20": Decimal(17)}
ACTS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(sorted(PACKAGES)),
            st.integers(1, 60),
            st.integers(-20, 40),
            st.sampled_from([1, -1]),
        ),
        st.integers(0, 12),  # cancel the order of this number
        st.sampled_from([3.0, 25.0, 3600.0, 7 * 3600.0, 86_400.0]),  # wait
    ),
    max_size=25,
)


@settings(max_examples=30, deadline=None)
@given(acts=ACTS)
def test_orders_cancels_and_fills_are_the_same(acts):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("a.exchange.jsonl", "b.exchange.jsonl")]
        bare, behind = (open_exchange(restless_market(), journal_path=path) for path in paths)
        case = Case(exchange=behind)
        placed = 0
        for act in acts:
            if isinstance(act, float):
                case.wait(act)
                bare.advance_to(case.at)
            elif isinstance(act, int):
                case.cancel(act)
                try:
                    bare.cancel(f"A{act}", case.at)
                except OutcomeUnknown:
                    assert act not in range(1, placed + 1)
            else:
                placed += 1
                place_both(case, bare, placed, *act)
        case.wait(60)
        bare.advance_to(case.at)
        assert paths[1].read_bytes() == paths[0].read_bytes()
        assert behind.fills(EVERYTHING) == bare.fills(EVERYTHING)
        assert behind.orders() == bare.orders()
        assert behind.account() == bare.account()


def place_both(case, bare, number, package, quantity, step, sign):
    price = PACKAGES[package] + step * Decimal("0.05")
    action = "BUY" if sign > 0 else "SELL"
    case.place(number, package, limit(action, quantity, str(price), order_ref=f"A{number}"))
    turned = package if sign > 0 else package.translate(str.maketrans("+-", "-+"))
    bare.submit(new_order(f"A{number}", turned, quantity, str(sign * price)), case.at)
