"""The order desk: what IB does with orders, on an exchange that takes day limit orders only."""
