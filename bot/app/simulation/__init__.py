"""The whole bot in a simulated world that misbehaves on purpose, many thousand times over.

One seed makes one bot-month: a market, a plan of faults and deaths, and the life of the real bot
in it, under virtual time. ``invariants`` says what must be true after every step.
"""
