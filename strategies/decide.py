"""The whole decision of one interval, in the rule book's precedence (section 11)."""
