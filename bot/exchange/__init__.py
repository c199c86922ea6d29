"""The simulated market and exchange: seeded, deterministic, honest about fills."""
