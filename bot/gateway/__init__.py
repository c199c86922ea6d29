"""A simulated IB Gateway: the TWS API text protocol over the simulated exchange."""
