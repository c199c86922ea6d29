"""Why a description names no contract, in IB's codes and words."""

from typing import Final

from bot.errors import BotError

NO_DEFINITION: Final = "No security definition has been found for the request"


class ContractRefused(BotError):
    """A description that names no single contract; ``code`` and ``text`` are what IB answers."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class NoDefinition(ContractRefused):
    """Nothing that is listed fits."""

    def __init__(self) -> None:
        super().__init__(200, NO_DEFINITION)


class Ambiguous(ContractRefused):
    """Several contracts fit where one is needed."""

    def __init__(self, symbol: str) -> None:
        super().__init__(
            200,
            f"The contract description specified for {symbol} is ambiguous; "
            "you must specify the multiplier or trading class.",
        )


class Malformed(ContractRefused):
    """A description that cannot be read."""

    def __init__(self, cause: str) -> None:
        super().__init__(321, f"Error validating request.-'cd' : cause - {cause}")
