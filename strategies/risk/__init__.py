"""The pre-trade gate: the only maker of approved orders."""
