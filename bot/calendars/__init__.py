"""Builds the trading calendar from library, own Cboe and CFE rules and overrides."""
