"""Trading of what the exchange does not have: SPY and its options, at their quotes, beside it."""
