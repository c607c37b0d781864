"""The one exception a user sees: a clear line, an exit code, no traceback."""

from __future__ import annotations

import click


class UserError(click.ClickException):
    """Something the user can put right; the message names it, its value and the fix (exit code 1)."""


class UsageError(UserError):
    """A wrong option or configuration value (exit code 2, as click's own usage errors)."""

    exit_code = 2
