"""Errors about outside data. Our own mistakes assert instead."""


class DomainError(Exception):
    """Base of every error the domain raises about data it was given."""


class InvalidInstrument(DomainError):
    """A symbol or contract that names nothing tradable here."""


class InvalidQuote(DomainError):
    """A price that cannot be one: negative, crossed, not finite or too old."""


class InvalidOrder(DomainError):
    """An order whose legs, quantity or price make no sense."""


class MissingData(DomainError):
    """An input that a calculation needs is not in the snapshot."""
