"""What a configuration may say about the execution of orders, and what it comes to."""

from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from bot.app.config.execution import ExecutionSection
from bot.engine.execute import ExecutionRules
from bot.engine.prices import OrderClass, WalkPolicy


def test_said_nothing_all_orders_walk_alike():
    section = ExecutionSection()
    assert section.walk == WalkPolicy(duration_s=120, step_s=30)
    assert section.rules == ExecutionRules()


def test_a_class_says_what_is_different_about_it():
    section = ExecutionSection.model_validate(
        {
            "walk_seconds": 90,
            "classes": {
                "hedge_urgent": {"walk_seconds": 20, "walk_step_seconds": 10},
                "condor_entry": {"slippage_fraction": 0.5, "slippage_points": Decimal("0.20")},
            },
            "withdraw_before_close_seconds": 60,
            "no_opens_before_close_minutes": 15,
        }
    )
    assert section.rules.classes == {
        OrderClass.HEDGE_URGENT: WalkPolicy(duration_s=20, step_s=10),
        OrderClass.CONDOR_ENTRY: WalkPolicy(
            duration_s=90, step_s=30, slippage_fraction=0.5, slippage_points=Decimal("0.20")
        ),
    }
    assert section.rules.withdraw_before == timedelta(minutes=1)
    assert section.rules.no_opens_before == timedelta(minutes=15)


@pytest.mark.parametrize(
    "said",
    [
        {"walk_seconds": 20, "walk_step_seconds": 30},
        {"classes": {"hedge_urgent": {"walk_seconds": 20}}},
        {"classes": {"hedge": {}}},
        {"classes": {"hedge_add": {"slippage_fraction": 1.1}}},
    ],
)
def test_what_makes_no_sense_is_refused(said):
    with pytest.raises(ValidationError):
        ExecutionSection.model_validate(said)
