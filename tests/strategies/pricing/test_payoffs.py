"""Expected payoffs: the closed form is the integral over the lognormal with the physical vol."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from strategies.pricing.payoffs import expected_payoffs
from strategies.pricing.valuation import Valuer
from tests.builders import TODAY, flat_vol, market_quotes, option

VALUER = Valuer(market_quotes(spx_vol=flat_vol(0.16)), TODAY)
CONTRACTS = [
    option("SPXW 20MAR20 3050 P"),
    option("SPXW 20MAR20 3250 C"),
    option("SPXW 6MAR20 3400 C"),
    option("VIX 18MAR20 22 C"),
    option("VIX 18MAR20 15 P"),
]


def quadrature(forward, strike, deviation, is_call):
    def pays(z):
        settles = forward * math.exp(deviation * z - deviation**2 / 2)
        beyond = settles - strike if is_call else strike - settles
        return max(beyond, 0.0) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    kink = (math.log(strike / forward) + deviation**2 / 2) / deviation
    return quad(pays, -10, kink, epsabs=1e-12)[0] + quad(pays, kink, 10, epsabs=1e-12)[0]


@pytest.mark.parametrize("ratio", [0.5, 0.8, 1.0, 1.5])
def test_c8_the_expected_payoff_is_the_integral_over_the_physical_lognormal(ratio):
    terms = VALUER.terms(CONTRACTS)
    expected = expected_payoffs(VALUER, terms, ratio)
    vol = np.array([VALUER.value(contract).vol for contract in CONTRACTS])
    for n in range(len(CONTRACTS)):
        deviation = ratio * vol[n] * math.sqrt(terms.t_years[n])
        by_hand = quadrature(terms.forward[n], terms.strike[n], deviation, terms.is_call[n])
        assert expected[n] == pytest.approx(by_hand, rel=1e-7)


def test_c8_at_a_ratio_of_one_an_option_is_expected_to_pay_its_undiscounted_price():
    terms = VALUER.terms(CONTRACTS)
    expected = expected_payoffs(VALUER, terms, 1.0)
    mids = np.array([VALUER.value(contract).mid for contract in CONTRACTS])
    assert expected * terms.discount == pytest.approx(mids, rel=0.03, abs=0.03)


def test_c8_one_underlying_alone_needs_no_surface_of_the_other():
    spx = VALUER.terms(CONTRACTS[:1])
    vix = VALUER.terms(CONTRACTS[3:4])
    both = VALUER.terms([CONTRACTS[0], CONTRACTS[3]])
    each = [*expected_payoffs(VALUER, spx, 0.8), *expected_payoffs(VALUER, vix, 0.8)]
    assert expected_payoffs(VALUER, both, 0.8) == pytest.approx(each)
