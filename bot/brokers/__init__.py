"""Adapters to brokers: one speaks to the simulated exchange in-process."""
