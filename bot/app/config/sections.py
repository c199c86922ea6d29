"""What every section of a configuration has in common: strictness, and errors that name a key."""

from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A mapping of the file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_means_defaults(cls, data: Any) -> Any:  # noqa: ANN401 whatever the file holds
        return {} if data is None else data


def misplaced(key: str | tuple[str | int, ...], message: str) -> PydanticCustomError:
    """Return an error about ``key`` of the section being validated, or of one inside it."""
    keys = key if isinstance(key, tuple) else (key,)
    return PydanticCustomError("section", "{message}", {"message": message, "keys": keys})


def within(low: float | None, high: float | None, owner: str = "") -> AfterValidator:
    """Return a validator that refuses numbers outside ``low`` .. ``high``; None is no bound.

    ``owner`` says whose bound it is and stands in the message: ``rule C3: ...``.
    """

    def check(value: Any) -> Any:  # noqa: ANN401 any ordered number
        if (low is not None and value < low) or (high is not None and value > high):
            lower, upper = _spelled(low), _spelled(high)
            message = f"{_spelled(value)} is outside {lower} .. {upper}"
            if owner:
                message += f" ({owner})"
            raise PydanticCustomError("bounds", "{message}", {"message": message})
        return value

    return AfterValidator(check)


def _spelled(number: float | None) -> str:
    if number is None:
        return "any"
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"
