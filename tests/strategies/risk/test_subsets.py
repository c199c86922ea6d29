"""The worst subset of orders (I6): every one tried, and the bound for more, by brute force."""

from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.risk.checks.subsets import ENUMERATED_MAX, Column, worst_of_any

VALUE, SIZE = Column(), Column(either_way=True)
small = st.integers(-20, 20)
columns = st.lists(
    st.builds(Column, weight=st.integers(0, 10), either_way=st.booleans()), min_size=1, max_size=4
)


@st.composite
def cases(draw, most):
    kinds = tuple(draw(columns))
    row = st.tuples(*(small for _ in kinds))
    return kinds, draw(row), tuple(draw(st.lists(row, max_size=most)))


def measure(kinds, ends):
    return sum(
        kind.weight * (abs(end) if kind.either_way else end)
        for kind, end in zip(kinds, ends, strict=True)
    )


def by_brute_force(kinds, base, orders):
    subsets = chain.from_iterable(combinations(orders, n) for n in range(len(orders) + 1))
    return max(
        measure(kinds, [sum(column) for column in zip(base, *subset, strict=True)])
        for subset in subsets
    )


@settings(deadline=None)
@given(cases(most=7))
def test_i6_up_to_ten_orders_every_subset_is_tried(case):
    assert worst_of_any(*case) == by_brute_force(*case)


@settings(deadline=None)
@given(cases(most=7))
def test_i6_the_bound_is_never_below_the_worst_subset(case):
    assert worst_of_any(*case, enumerated_max=-1) >= by_brute_force(*case)


@settings(deadline=None)
@given(st.data(), columns)
def test_i6_the_bound_is_reached_where_each_order_moves_one_column(data, kinds):
    """What the bot sends: a single instrument, or a condor that counts in one column."""
    base = data.draw(st.tuples(*(small for _ in kinds)))
    single = st.builds(
        lambda place, n: tuple(n if each == place else 0 for each in range(len(kinds))),
        st.integers(0, len(kinds) - 1),
        small,
    )
    orders = tuple(data.draw(st.lists(single, max_size=7)))
    exact = worst_of_any(tuple(kinds), base, orders)
    assert worst_of_any(tuple(kinds), base, orders, enumerated_max=-1) == exact


@settings(deadline=None)
@given(cases(most=7), st.data())
def test_i6_one_more_order_never_makes_the_worst_case_better(case, data):
    kinds, base, orders = case
    more = data.draw(st.tuples(*(small for _ in kinds)))
    for most in (-1, ENUMERATED_MAX):
        before = worst_of_any(kinds, base, orders, enumerated_max=most)
        assert worst_of_any(kinds, base, (*orders, more), enumerated_max=most) >= before


def test_i6_ten_orders_are_tried_and_eleven_are_bounded():
    spread = (1, -1)  # long one future, short another
    kinds = (VALUE, VALUE)
    assert worst_of_any(kinds, (0, 0), (spread,) * 10) == 0
    assert worst_of_any(kinds, (0, 0), (spread,) * 11) == 11
    sizes = (SIZE, SIZE)
    assert worst_of_any(sizes, (-3, 0), (spread,) * 10) == 17
    assert worst_of_any(sizes, (-3, 0), ((1, 0), (-1, 0))) == 4


def test_the_worst_of_nothing_is_what_is_there():
    kinds = (Column(weight=10, either_way=True), VALUE)
    assert worst_of_any(kinds, (-4, -3), ()) == 37
    assert worst_of_any(kinds, (-4, -3), (), enumerated_max=-1) == 37
    assert worst_of_any((), (), ()) == 0
