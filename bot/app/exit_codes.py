"""The exit codes scripts rely on, and the failure that carries one."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller."""

    OK = 0
    FAILED = 1  # the bot halted, or a check failed
    USAGE = 2  # bad usage or bad configuration
    UNREACHABLE = 3  # broker not reachable
    UNSAFE = 4  # refused for safety
    HALTED = 5  # `alvh healthcheck`: the bot is well, and halted
    SIGINT = 130
    SIGTERM = 143


class CommandFailed(Exception):
    """A command cannot do what it was asked; the message is for the person who asked."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
