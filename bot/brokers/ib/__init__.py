"""The only speaker of ib_insync: one broker path for the simulated gateway, paper and live."""
