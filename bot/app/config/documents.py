"""YAML text to plain values, with the place of every key and value.

Stricter than YAML: no duplicate keys, no anchors, aliases, merges or tags, one document, bounded
size and depth. Read through the nodes of ruamel.yaml (YAML 1.2: ``no`` is text and ``010`` is ten).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    TagToken,
)

from bot.app.config.problems import ConfigInvalid, Place, Problem

FILE_BYTES_MAX = 1_000_000
DEPTH_MAX = 20

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
KeyPath = tuple[str | int, ...]

_OPENING = (
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingStartToken,
    FlowSequenceStartToken,
)
_CLOSING = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)
_FORBIDDEN = {
    TagToken: "tags (!) are not allowed",
    AnchorToken: "anchors (&) are not allowed; write the value out",
    AliasToken: "aliases (*) are not allowed; write the value out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A YAML file as plain values."""

    path: Path
    label: str  # how messages call the file
    text: str
    values: dict[str, Value]
    keys: Mapping[KeyPath, Place]  # where each key stands
    items: Mapping[KeyPath, Place]  # where each value stands
    problems: tuple[Problem, ...]  # duplicate keys and the like; the values are readable still

    def place_of(self, path: KeyPath) -> Place:
        """Return where the value at ``path`` stands, or its nearest parent that is there."""
        while path and path not in self.items:
            path = path[:-1]
        # A section that starts on the line after its key is best shown at the key
        return self.keys.get(path) or self.items.get(path) or Place(source=self.label)


def read_document(path: Path, *, label: str | None = None) -> Document:
    """Return the YAML file at ``path``; ``label`` is what messages call it.

    Raises: ConfigInvalid if it is missing, too large, not UTF-8, not YAML, or uses what is refused.
    """
    label = label or str(path)
    text = _read_text(path, label)
    reader = _Reader(label=label, lines=text.splitlines())
    try:
        reader.refuse_tokens(text)
        node = YAML(typ="rt").compose(text)
    except MarkedYAMLError as cause:
        raise ConfigInvalid([reader.syntax_problem(cause)]) from cause
    except YAMLError as cause:  # a character that YAML does not allow
        place = Place(source=label)
        raise ConfigInvalid([Problem(place=place, key="", message=str(cause))]) from cause
    values: Value = {} if node is None else reader.convert(node, ())
    if not isinstance(values, dict):
        reader.add(reader.place(node), (), "expected keys and values (key: value) at the top")
        raise ConfigInvalid(reader.problems)
    return Document(
        path=path,
        label=label,
        text=text,
        values=values,
        keys=MappingProxyType(reader.keys),
        items=MappingProxyType(reader.items),
        problems=tuple(reader.problems),
    )


def _read_text(path: Path, label: str) -> str:
    def refusal(message: str) -> ConfigInvalid:
        return ConfigInvalid([Problem(place=Place(source=label), key="", message=message)])

    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise refusal(f"larger than {FILE_BYTES_MAX:,} bytes; this is no configuration")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as cause:
        raise refusal("no such file") from cause
    except IsADirectoryError as cause:
        raise refusal("is a directory, expected a YAML file") from cause
    except UnicodeDecodeError as cause:
        raise refusal(f"not UTF-8 text: byte {cause.start} cannot be read") from cause
    except OSError as cause:
        raise refusal(f"cannot be read: {cause.strerror}") from cause


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Walks the nodes once, gathering values, places and problems."""

    label: str
    lines: list[str]
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    items: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, place: Place, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(place=place, key=dotted(path), message=message))

    def place(self, node: Node) -> Place:
        return self._place_at(node.start_mark.line, node.start_mark.column)

    def _place_at(self, line: int, column: int) -> Place:
        text = self.lines[line] if line < len(self.lines) else ""
        return Place(source=self.label, line=line + 1, column=column + 1, text=text)

    def syntax_problem(self, cause: MarkedYAMLError) -> Problem:
        mark = cause.problem_mark or cause.context_mark
        place = self._place_at(mark.line, mark.column) if mark else Place(source=self.label)
        message = f"not YAML: {cause.problem or cause.context}"
        if cause.problem and cause.context and cause.context_mark:
            message += f" ({cause.context}, begun on line {cause.context_mark.line + 1})"
        return Problem(place=place, key="", message=message)

    def refuse_tokens(self, text: str) -> None:
        """Refuse tags, aliases and bottomless nesting before any tree is built of them."""
        depth = 0
        for token in YAML(typ="rt", pure=True).scan(text):
            mark = token.start_mark
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            message = _FORBIDDEN.get(type(token))
            if depth > DEPTH_MAX:
                message = f"nested more than {DEPTH_MAX} levels deep"
            if message:
                place = self._place_at(mark.line, mark.column)
                raise ConfigInvalid([Problem(place=place, key="", message=message)])

    def convert(self, node: Node, path: KeyPath) -> Value:
        self.items[path] = self.place(node)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.convert(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.add(self.place(key_node), path, "a key must be a plain word")
                continue
            key = str(key_node.value)
            if key in values:
                first = self.keys[*path, key].line
                message = f"is written twice; first on line {first}"
                self.add(self.place(key_node), (*path, key), message)
                continue
            self.keys[*path, key] = self.place(key_node)
            values[key] = self.convert(value_node, (*path, key))
        return values

    def _scalar(self, node: Node, path: KeyPath) -> Value:
        text = str(node.value)
        match str(node.tag).rpartition(":")[2]:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return _whole_number(text)
            case "float":
                return _number(text)
            case "merge":
                self.add(self.place(node), path, "merges (<<) are not allowed")
                return None
            case _:  # dates and times stay text; the schema knows what they should be
                return text


def _whole_number(text: str) -> int | str:
    bases = {"0x": 16, "0o": 8, "0b": 2}
    digits = text.replace("_", "").lower()
    try:
        return int(digits, bases.get(digits.lstrip("+-")[:2], 10))
    except ValueError:  # more digits than Python converts
        return text


def _number(text: str) -> float:
    plain = text.replace("_", "").lower()
    return float(re.sub(r"^([+-]?)\.(inf|nan)$", r"\1\2", plain))


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: ``broker.market.seed``, ``schedule.entries[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
