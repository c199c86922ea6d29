"""The rule book as data: what each rule says, how it is computed, where, and where it came from.

One module a family. Defaults and bounds are not repeated here: they stand with the values in
``strategies.model.rules``. ``docs/rules.md`` is written from both.
"""
