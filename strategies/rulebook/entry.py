"""What is known of one rule besides its values."""

from dataclasses import dataclass, fields

SOURCES = ("S0", "S1", "S2", "S3", "S4", "ours")  # the seed articles, and what we had to add


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEntry:
    """One rule of the rule book. Texts are Markdown; line breaks in them mean nothing."""

    id: str  # "B3"; "E" is the evidence panel
    name: str
    sentence: str  # what the rule says
    formula: str  # as implemented
    absent: str  # what happens where its input is missing or too old
    source: tuple[str, ...]  # of ``SOURCES``
    modules: tuple[str, ...]  # where it is carried out, the main one first
    readings: tuple[str, ...]  # what the code does where the rule book leaves room
    is_in_force: bool = True

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, str):
                object.__setattr__(self, entry.name, _one_line(value))
        object.__setattr__(self, "readings", tuple(_one_line(text) for text in self.readings))


def _one_line(text: str) -> str:
    return " ".join(text.split())
