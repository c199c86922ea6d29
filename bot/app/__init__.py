"""The outermost ring: configuration, wiring, schedule and command line."""
