"""The one exception a user sees: a clear line, an exit code, no traceback."""

from __future__ import annotations

import click

_LONGEST = 1500  # characters of a message; a value can have millions


class UserError(click.ClickException):
    """Something the user can put right; the message names it, its value and the fix (exit code 1).

    It is one line whatever was in the value: line ends and characters that steer a terminal are escaped,
    and what is too long to read is cut in the middle.
    """

    def __init__(self, message: str) -> None:
        if len(message) > _LONGEST:
            message = f"{message[:1000]} [...] {message[-400:]}"
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in message))


class UsageError(UserError):
    """A wrong option or configuration value (exit code 2, as click's own usage errors)."""

    exit_code = 2
