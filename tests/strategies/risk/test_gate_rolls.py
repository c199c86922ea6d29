"""The pre-trade gate on rolls (C10, C11): what is one, what it may cost, and what it may meet."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.book import CondorLegs
from strategies.model.limits import HaltScope
from strategies.model.orders import ApprovedOrder, Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.quotes import Quote
from strategies.model.structures import after_roll
from strategies.risk.gate import RefusalReason
from tests.builders import book, condor_legs, condor_position, hedge_position, leg, option, quote
from tests.strategies.risk.test_gate import LIMITS, READY, ask, at_work, close_condor, reason

_R = RefusalReason
HELD_LEGS = condor_legs("SPXW 20MAR20 3050/3055/3400/3405")
IN = condor_legs("SPXW 20MAR20 3050/3055/3350/3355")  # the calls rolled in
WIDER = condor_legs("SPXW 20MAR20 3050/3055/3350/3360")
OUT = replace(  # the puts rolled out in time
    HELD_LEGS,
    long_put=option("SPXW 03APR20 3050 P"),
    short_put=option("SPXW 03APR20 3055 P"),
)
BOOK = book(condors=[condor_position(HELD_LEGS, quantity=10, credit="1.50")])
QUOTES = {
    leg(text).instrument.symbol: quote(prices)
    for text, prices in {
        "SPXW 20MAR20 3050 P": "20.00 x 20.20",
        "SPXW 20MAR20 3055 P": "20.80 x 21.00",
        "SPXW 20MAR20 3400 C": "1.00 x 1.10",
        "SPXW 20MAR20 3405 C": "0.80 x 0.90",
        "SPXW 20MAR20 3350 C": "3.00 x 3.20",
        "SPXW 20MAR20 3355 C": "2.60 x 2.70",
        "SPXW 20MAR20 3360 C": "2.10 x 2.20",
        "SPXW 03APR20 3050 P": "27.00 x 27.20",
        "SPXW 03APR20 3055 P": "28.05 x 28.25",
    }.items()
}


def roll(
    new: CondorLegs = IN,
    quantity: int = 10,
    *,
    held: CondorLegs = HELD_LEGS,
    limit: str = "-0.25",
    worst: str = "-0.15",
    condor_id: str = "C0001",
) -> OrderIntent:
    before, after = dict(held.signed()), dict(new.signed())
    legs = [Leg(instrument=c, ratio=-n) for c, n in before.items() if c not in after]
    legs += [Leg(instrument=c, ratio=n) for c, n in after.items() if c not in before]
    return OrderIntent(
        plan_id="p",
        purpose=f"condor:{condor_id}:adjust",
        legs=tuple(legs),
        quantity=quantity,
        limit_price=Decimal(limit),
        worst_price=Decimal(worst),
        effect=PositionEffect.OPEN,
        urgency=Urgency.PATIENT,
        rules=("C10",),
        condor_id=condor_id,
    )


def judge(intent, *, held=BOOK, quotes=QUOTES, **facts):
    return reason(ask(intent, held=held, quotes=quotes, **facts))


@pytest.mark.parametrize(
    "intent",
    [
        roll(),
        roll(quantity=1),
        roll(OUT, limit="-0.25", worst="0.00"),  # nothing paid, nothing received
        roll(limit="-0.60", worst="-0.60"),
    ],
)
def test_c10_a_roll_of_a_held_condor_is_approved(intent):
    verdict = ask(intent, held=BOOK, quotes=QUOTES)
    assert isinstance(verdict, ApprovedOrder), verdict
    assert verdict.intent == intent


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (roll(condor_id="C0002"), _R.STRUCTURE),  # nobody holds it
        (roll(quantity=11), _R.NOT_A_ROLL),
        (roll(limit="0.05", worst="0.05"), _R.NOT_A_ROLL),
        (roll(limit="-0.05", worst="0.05"), _R.NOT_A_ROLL),
        (roll(held=replace(HELD_LEGS, long_put=option("SPXW 20MAR20 3045 P"))), _R.NO_QUOTE),
    ],
)
def test_c10_a_roll_is_of_what_is_held_and_pays_nothing(intent, expected):
    assert judge(intent) is expected


def legs_of(*texts: str) -> tuple[Leg, ...]:
    return tuple(leg(text) for text in texts)


@pytest.mark.parametrize(
    "legs",
    [
        # one long more than before
        legs_of("+1 SPXW 20MAR20 3355 C"),
        # the short alone
        legs_of("+1 SPXW 20MAR20 3400 C", "-1 SPXW 20MAR20 3350 C"),
        # the long is left where it was
        legs_of("+1 SPXW 20MAR20 3400 C", "-1 SPXW 20MAR20 3350 C", "+1 SPXW 20MAR20 3355 C"),
        # twice what is closed
        legs_of(
            "+1 SPXW 20MAR20 3400 C",
            "-1 SPXW 20MAR20 3405 C",
            "-2 SPXW 20MAR20 3350 C",
            "+2 SPXW 20MAR20 3355 C",
        ),
        # the side is turned round: its long inside its short
        legs_of(
            "+1 SPXW 20MAR20 3400 C",
            "-1 SPXW 20MAR20 3405 C",
            "-1 SPXW 20MAR20 3355 C",
            "+1 SPXW 20MAR20 3350 C",
        ),
        # both longs
        legs_of(
            "-1 SPXW 20MAR20 3050 P",
            "-1 SPXW 20MAR20 3405 C",
            "+1 SPXW 03APR20 3050 P",
            "+1 SPXW 20MAR20 3360 C",
        ),
        # a leg of it bought that it has sold already is not part of any other condor
        legs_of(
            "+2 SPXW 20MAR20 3400 C",
            "-1 SPXW 20MAR20 3405 C",
            "-1 SPXW 20MAR20 3350 C",
            "+1 SPXW 20MAR20 3355 C",
        ),
        # calls in the place of puts
        legs_of(
            "+1 SPXW 20MAR20 3055 P",
            "-1 SPXW 20MAR20 3050 P",
            "-1 SPXW 20MAR20 3350 C",
            "+1 SPXW 20MAR20 3355 C",
        ),
    ],
)
def test_c10_what_does_not_make_a_condor_of_a_condor_is_no_roll(legs):
    intent = replace(roll(), legs=legs, limit_price=Decimal("-0.20"), worst_price=Decimal("-0.20"))
    assert after_roll(HELD_LEGS, [(each.instrument, each.ratio) for each in legs]) is None
    wide = replace(LIMITS, price_collar_points=Decimal(100))
    assert judge(intent, limits=wide) is _R.NOT_A_ROLL


def test_c10_the_long_of_a_side_must_outlive_its_short():
    early = replace(OUT, long_put=option("SPXW 20MAR20 3045 P"))
    order = roll(early)
    assert after_roll(HELD_LEGS, [(each.instrument, each.ratio) for each in order.legs]) is None


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (close_condor(3), _R.CONDOR_AT_WORK),
        (roll(OUT, 3), _R.CONDOR_AT_WORK),
        (replace(close_condor(3), condor_id="C0009", purpose="condor:C0009:close"), None),
    ],
)
def test_c10_nothing_else_of_the_condor_may_be_at_work(other, expected):
    working = at_work(other)
    held = replace(BOOK, working=(working,))
    assert judge(roll(), held=held) is expected


def test_c10_what_is_being_rolled_cannot_be_closed_as_well():
    held = replace(BOOK, working=(at_work(roll(quantity=4)),))
    quotes = QUOTES
    assert judge(close_condor(6, worst="1.50"), held=held, quotes=quotes) is None
    assert judge(close_condor(7, worst="1.50"), held=held, quotes=quotes) is _R.NOT_A_REDUCTION


@pytest.mark.parametrize(
    ("most", "expected"),
    # 10 x (10 - 1.50 - 0.40) x 100
    [("8100", None), ("8099", _R.CONDOR_MAX_LOSS)],
)
def test_i6_a_roll_that_raises_the_loss_stays_within_the_limit_of_a_condor(most, expected):
    limits = replace(LIMITS, condor_max_loss_usd=Decimal(most))
    assert judge(roll(WIDER, limit="-0.60", worst="-0.40"), limits=limits) is expected


def test_i6_a_roll_that_raises_no_loss_passes_where_the_book_is_over_its_limits():
    limits = replace(LIMITS, condor_max_loss_usd=Decimal(1), total_max_loss_usd=Decimal(1))
    assert judge(roll(), limits=limits) is None


@pytest.mark.parametrize(
    ("most", "expected"),
    # held 3500, this adds 10 x (5 - 0.40) x 100
    [("8100", None), ("8099", _R.TOTAL_MAX_LOSS)],
)
def test_i6_the_total_counts_what_a_roll_adds(most, expected):
    limits = replace(LIMITS, total_max_loss_usd=Decimal(most))
    assert judge(roll(WIDER, limit="-0.60", worst="-0.40"), limits=limits) is expected


@pytest.mark.parametrize(
    ("most", "expected"),
    # held 3500 + 3500, the roll at work may add 3 x (5 - 0.25) x 100, this adds 4600
    [("13025", None), ("13024.99", _R.TOTAL_MAX_LOSS)],
)
def test_i6_the_total_counts_what_rolls_at_work_may_add(most, expected):
    other = condor_position(HELD_LEGS, condor_id="C0002", quantity=10, credit="1.50")
    held = replace(
        BOOK,
        condors=(*BOOK.condors, other),
        working=(at_work(roll(WIDER, 3, condor_id="C0002")),),
    )
    limits = replace(LIMITS, total_max_loss_usd=Decimal(most))
    assert judge(roll(WIDER, limit="-0.60", worst="-0.40"), held=held, limits=limits) is expected


def test_c10_a_roll_opens_no_further_condor():
    assert judge(roll(), limits=replace(LIMITS, condors_max=1)) is None


def test_c10_a_roll_waits_under_a_halt_of_opens():
    assert judge(roll(), readiness=replace(READY, halt_scope=HaltScope.OPENS)) is _R.HALTED


def test_i14_a_roll_needs_a_bid_for_every_leg():
    worthless = {leg("SPXW 20MAR20 3405 C").instrument.symbol: Quote(bid=0.0, ask=0.05)}
    assert judge(roll(), quotes=QUOTES | worthless) is _R.NO_QUOTE


def test_i15_a_roll_stays_inside_the_collar():
    mid = Decimal("-0.25")
    assert judge(roll(limit=str(mid - Decimal("0.50")), worst="-0.15")) is None
    assert judge(roll(limit=str(mid - Decimal("0.55")), worst="-0.15")) is _R.PRICE_COLLAR


def test_i15_a_roll_may_mean_to_walk_further_than_its_first_price_may_lie():
    """Each of its attempts is asked about again, and none may cost anything."""
    dear = {leg("SPXW 20MAR20 3350 C").instrument.symbol: quote("4.40 x 4.60")}
    quotes = QUOTES | dear  # mid -1.65
    assert judge(roll(limit="-1.65", worst="0.00"), quotes=quotes) is None
    assert judge(roll(limit="-1.15", worst="0.00"), quotes=quotes) is None
    assert judge(roll(limit="-1.10", worst="0.00"), quotes=quotes) is _R.PRICE_COLLAR


def test_g8_a_roll_never_leaves_a_short_that_lost_its_cover_to_another_order():
    """A long of another condor that is on its way out covers nothing."""
    loose = hedge_position("SPXW 20MAR20 3355 C", -1)
    assert judge(roll(), held=replace(BOOK, hedges=(loose,))) is _R.UNCOVERED


@given(
    st.sampled_from([IN, WIDER, OUT]),
    st.integers(1, 15),
    st.integers(-20, 4).map(lambda nickels: Decimal(nickels * 5) / 100),
)
def test_c10_no_approved_roll_raises_the_loss_past_its_limit_or_leaves_a_short_bare(
    new, quantity, worst
):
    intent = replace(roll(new, quantity), limit_price=min(worst, Decimal("-0.40")))
    intent = replace(intent, worst_price=worst)
    if judge(intent) is not None:
        return
    (held,) = BOOK.condors
    assert quantity <= held.quantity
    assert worst <= 0
    rolled = replace(held, legs=new, quantity=quantity, entry_credit=held.entry_credit - worst)
    assert rolled.max_loss_usd <= max(LIMITS.condor_max_loss_usd, held.max_loss_usd)
    for short, long in ((new.short_put, new.long_put), (new.short_call, new.long_call)):
        assert long.expiry >= short.expiry
