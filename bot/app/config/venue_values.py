"""The ``broker.fees`` and ``broker.fill_model`` sections, generated from what the exchange takes.

Names, kinds and defaults come from ``FeeSchedule`` and ``FillModel`` and stand nowhere else; only
bounds are written here.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator, create_model

from bot.app.config.scalars import Money, Number, Text, Typed, Whole, expected
from bot.app.config.sections import Section, within
from bot.exchange.matching import DEFAULT_FILL_MODEL, FillModel
from strategies.model.encoding import encode
from strategies.model.fees import DEFAULT_FEES, FeeSchedule

_SINGLE: dict[type, Any] = {
    str: Text,
    Decimal: Annotated[Money, within(0, 100)],
    float: Annotated[Number, within(0, 1)],
    int: Annotated[Whole, within(1, 100_000)],
}


def _listed(count: int) -> BeforeValidator:
    def check(value: object) -> object:
        items = value.split(",") if isinstance(value, Typed) else value
        if not isinstance(items, list | tuple) or len(items) != count:
            raise expected(f"a list of {count} numbers", value)
        return [Typed(item.strip()) for item in items] if isinstance(value, Typed) else items

    return BeforeValidator(check)


def _check_range(items: tuple[int, ...]) -> tuple[int, ...]:
    if list(items) != sorted(items):
        raise expected("the least, then the most", list(items))
    return items


def _value_type(kind: Any, default: Any) -> Any:  # noqa: ANN401 an annotation and a value of it
    if get_origin(kind) is not tuple:
        return _SINGLE[kind]
    item = get_args(kind)[0]
    several: Any = tuple
    listed = Annotated[several[_SINGLE[item], ...], _listed(len(default))]
    return Annotated[listed, AfterValidator(_check_range)] if item is int else listed


def _section(default: FeeSchedule | FillModel) -> type[Section]:
    hints = get_type_hints(type(default))
    values: dict[str, Any] = {
        entry.name: (_value_type(hints[entry.name], entry.default), entry.default)
        for entry in fields(default)
    }
    return create_model(f"{type(default).__name__}Section", __base__=Section, **values)


FEES_SECTION = _section(DEFAULT_FEES)
FILL_MODEL_SECTION = _section(DEFAULT_FILL_MODEL)


def _parser(section: type[Section], default: Any) -> Callable[[object], Any]:  # noqa: ANN401
    def parse(data: object) -> Any:  # noqa: ANN401 what ``default`` is
        if isinstance(data, type(default)):
            return data
        written = section.model_validate(data)
        # A default that is written out, 0.1 for 0.10, is still the default: the exchange's
        # journal tells one world from another by these values
        changed = {
            entry.name: getattr(written, entry.name)
            for entry in fields(default)
            if getattr(written, entry.name) != getattr(default, entry.name)
        }
        return replace(default, **changed)

    return parse


FeeValues = Annotated[
    FeeSchedule, PlainValidator(_parser(FEES_SECTION, DEFAULT_FEES)), PlainSerializer(encode)
]
FillModelValues = Annotated[
    FillModel,
    PlainValidator(_parser(FILL_MODEL_SECTION, DEFAULT_FILL_MODEL)),
    PlainSerializer(encode),
]
