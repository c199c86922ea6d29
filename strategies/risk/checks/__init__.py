"""The checks of the pre-trade gate, one module a family, in the order of ``docs/gate.md``."""
