"""Decisions: pure functions from what is known to what should be done. No clock, no I/O."""
