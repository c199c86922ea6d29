"""The surfaces against quoted chains; skipped where the recordings are not at hand."""

import pytest

from benchmarks.surface_fit import TEST_FROM, VIX_TEST_FROM, measure_spx, measure_vix


@pytest.fixture(scope="module")
def condors(shared_data, history):
    return measure_spx(shared_data, history)


@pytest.fixture(scope="module")
def calls(shared_data, history):
    return measure_vix(shared_data, history)


def test_condor_credits_are_within_ten_percent_on_chains_never_fitted(condors):
    test = condors[condors["session"] >= TEST_FROM]
    assert len(test) > 100
    assert test["credit_error"].abs().median() < 0.10
    for _, own in test.groupby("width"):
        assert own["credit_error"].abs().median() < 0.10


def test_short_strike_vols_are_within_a_point_on_chains_never_fitted(condors):
    test = condors[condors["session"] >= TEST_FROM]
    assert test["put_vol_error"].abs().median() < 0.5
    assert test["call_vol_error"].abs().median() < 0.8


def test_vix_calls_are_within_ten_percent_in_a_year_never_fitted(calls):
    test = calls[calls["quote_date"] >= VIX_TEST_FROM.isoformat()]
    assert len(test) > 5000
    assert test["error"].abs().median() < 0.10
