"""Layers of values to one validated model; every error told at the place that caused it."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.app.config.documents import Document, KeyPath, Value, dotted
from bot.app.config.problems import Place, Problem, refuse
from bot.app.config.scalars import Typed, found

Model = TypeVar("Model", bound=BaseModel)

_QUOTED = re.compile(r"'([^']*)'")
_NOT_A_SECTION = {"model_type", "model_attributes_type", "dict_type", "union_tag_not_found"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One value from above the file: the environment or a flag."""

    path: tuple[str, ...]
    text: str
    place: Place


@dataclass(slots=True, kw_only=True)
class Layers:
    """A document with overrides on top, and who said what last."""

    document: Document
    values: dict[str, Value] = field(init=False)
    overrides: dict[KeyPath, Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = _copy(self.document.values)

    def apply(self, overrides: Iterable[Override]) -> None:
        """Lay the overrides on top, the later ones winning.

        Raises: ConfigInvalid if one names a key below a single value.
        """
        problems = [problem for item in overrides if (problem := self._apply(item))]
        if problems:
            raise refuse(problems)

    def _apply(self, override: Override) -> Problem | None:
        section = self.values
        for depth, name in enumerate(override.path[:-1], start=1):
            child = section.get(name)
            if child is None:
                child = section[name] = {}
            if not isinstance(child, dict):
                parent = dotted(override.path[:depth])
                message = f"{parent} is a single value and has no keys"
                return Problem(place=override.place, key=dotted(override.path), message=message)
            section = child
        section[override.path[-1]] = Typed(override.text)
        self.overrides[override.path] = override.place
        return None

    def place_of(self, path: KeyPath) -> Place:
        """Return who wrote the value at ``path``, or the nearest parent somebody wrote."""
        for end in range(len(path), 0, -1):
            if place := self.overrides.get(path[:end]):
                return place
            if path[:end] in self.document.items:
                return self.document.items[path[:end]]
        return self.document.place_of(())

    def key_place(self, path: KeyPath) -> Place:
        """Return where the key at ``path`` is written."""
        return self.overrides.get(path) or self.document.keys.get(path) or self.place_of(path)

    def section_place(self, path: KeyPath) -> Place:
        """Return where the section at ``path`` begins: its key, or the file as a whole."""
        return self.document.place_of(path) if path else Place(source=self.document.label)

    def origin(self, path: KeyPath) -> str:
        """Return ``environment X``, ``flag ...``, ``paper_config.yaml:14`` or ``default``."""
        folded = _folded(path)
        for written, place in self.overrides.items():
            if _folded(written) == folded:
                return place.source
        for written, place in self.document.items.items():
            if _folded(written) == folded:
                return f"{place.source}:{place.line}"
        return "default"


def _folded(path: KeyPath) -> KeyPath:
    """Return a path for comparison: series names may be written in either case."""
    return tuple(part.casefold() if isinstance(part, str) else part for part in path)


def _copy(values: Mapping[str, Value]) -> dict[str, Value]:
    return {key: _copy(item) if isinstance(item, dict) else item for key, item in values.items()}


def validate(model: type[Model], layers: Layers) -> Model:
    """Return the layers as a ``model``.

    Raises: ConfigInvalid with every problem, in the order of the file.
    """
    problems = list(layers.document.problems)
    try:
        validated = model.model_validate(layers.values)
    except ValidationError as cause:
        problems += [_problem(model, layers, error) for error in cause.errors(include_url=False)]
    else:
        if not problems:
            return validated
    problems.sort(key=lambda problem: (problem.place.line or 0, problem.place.column or 0))
    raise refuse(problems)


def _problem(model: type[BaseModel], layers: Layers, error: ErrorDetails) -> Problem:
    context = error.get("ctx", {})
    location = tuple(part for part in error["loc"] if part != "[key]")
    path = _untagged(location, layers.values)
    match error["type"]:
        case "extra_forbidden":
            place, message = layers.key_place(path), "unknown key"
            message += _suggestion(str(path[-1]), _known_keys(model, location[:-1]))
        case "missing":
            place = layers.section_place(path[:-1])
            message = "missing; this key has no default"
        case "literal_error":
            is_key = error["loc"][-1] == "[key]"
            place = layers.key_place(path) if is_key else layers.place_of(path)
            allowed = _QUOTED.findall(context["expected"])
            message = _choice_message(allowed, error["input"])
        case "union_tag_invalid":
            path = (*path, "kind")
            place = layers.place_of(path)
            message = _choice_message(_QUOTED.findall(context["expected_tags"]), context["tag"])
        case "union_tag_not_found" if isinstance(error["input"], dict):
            place = layers.section_place(path)
            path = (*path, "kind")
            message = "missing; expected one of " + ", ".join(_tags(model, location))
        case kind if kind in _NOT_A_SECTION:
            place = layers.place_of(path)
            message = f"expected a section with keys, found {found(error['input'])}"
        case "section":
            path = (*path, *context["keys"])
            place, message = layers.place_of(path), error["msg"]
        case "string_pattern_mismatch":
            place = layers.place_of(path)
            message = f"expected text like {context['pattern']}, found {found(error['input'])}"
        case "secret":  # say where, but do not show the line
            place, message = replace(layers.place_of(path), text="(not shown)"), error["msg"]
        case _:
            place, message = layers.place_of(path), error["msg"]
    is_safety = error["type"] == "safety"
    return Problem(place=place, key=dotted(path), message=message, is_safety=is_safety)


def _choice_message(allowed: Sequence[str], value: object) -> str:
    message = f"expected one of {', '.join(allowed)}; found {found(value)}"
    return message + _suggestion(str(value), allowed)


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _untagged(location: KeyPath, values: Mapping[str, Value]) -> KeyPath:
    """Return a pydantic location without the union tags it contains."""
    path: list[str | int] = []
    current: Any = values
    for part in location:
        is_section = isinstance(current, dict)
        if is_section and part not in current and current.get("kind") == part:
            continue
        path.append(part)
        if is_section:
            current = current.get(part)
        elif isinstance(current, list) and isinstance(part, int) and part < len(current):
            current = current[part]
        else:
            current = None
    return tuple(path)


def _known_keys(model: type, location: KeyPath) -> list[str]:
    """Return the keys the schema knows at a pydantic location, union tags included."""
    return [key for section in _sections_at(model, location) for key in _children(section)]


def _tags(model: type, location: KeyPath) -> list[str]:
    return [tag for section in _sections_at(model, location) for tag in _tags_of(section)]


def _sections_at(model: type, location: KeyPath) -> list[type]:
    sections = [model]
    for part in location:
        if isinstance(part, int):  # an item of the list that came before
            continue
        inner: list[type] = []
        for section in sections:
            children = _children(section)
            if part in _tags_of(section):
                inner.append(section)
            elif part in children:
                inner += _section_types(children[part])
        sections = inner
    return sections


def _section_types(kind: Any) -> list[type]:  # noqa: ANN401 any annotation
    if get_origin(kind) is Annotated:
        return _section_types(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType, tuple):
        return [section for option in get_args(kind) for section in _section_types(option)]
    return [kind] if isinstance(kind, type) else []


def _children(section: type) -> dict[str, Any]:
    if issubclass(section, BaseModel):
        known = section.model_fields.items()
        return {entry.alias or name: entry.annotation for name, entry in known}
    return get_type_hints(section) if is_dataclass(section) else {}


def _tags_of(section: type) -> tuple[str, ...]:
    kind = section.model_fields.get("kind") if issubclass(section, BaseModel) else None
    return get_args(kind.annotation) if kind else ()
