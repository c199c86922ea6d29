"""The words of the domain: instruments, quotes, orders, fills, books, plans, rules."""
