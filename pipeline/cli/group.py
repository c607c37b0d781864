"""The group of all commands: in the order they are used, and one line for every error."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import Any

import click

from pipeline.errors import UserError, machine_error
from pipeline.printing import printable
from pipeline.processes.compiling import no_compiler_folder
from pipeline.processes.stopping import terminable
from pipeline.streams import open_closed_streams, outlive_readers


class Commands(click.Group):
    """Commands in the order they are used, and one line for every error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        """As click's; its errors are printable."""
        try:
            return super().make_context(*arguments, **more)
        except click.ClickException as error:
            raise _printable(error) from None

    def main(self, *args: Any, **more: Any) -> Any:
        open_closed_streams()
        outlive_readers()
        try:
            return super().main(*args, **more)
        except OSError as error:  # --help and the like, before any command: on a full disk
            if (said := machine_error(error)) is None:
                raise
            _OneLine(said).show()
            sys.exit(said.exit_code)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with terminable(), no_compiler_folder():
                return super().invoke(ctx)
        except click.ClickException as error:
            raise _printable(error) from None
        except (click.exceptions.Exit, click.Abort):
            raise
        except UserError as error:
            raise _OneLine(error) from error
        except KeyboardInterrupt as error:
            stop = signal.Signals(getattr(error, "number", signal.SIGINT))
            with contextlib.suppress(OSError):  # the terminal itself may be gone
                click.echo(
                    f"Error: stopped by {stop.name}; run the same command again to resume from what is on disk",
                    err=True,
                )
            sys.exit(128 + stop)
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            if (said := machine_error(error)) is not None:
                raise _OneLine(said) from error
            reason = " ".join(str(error).split())[:300]
            unexpected = UserError(
                f"unexpected {type(error).__name__}: {reason} (tada-loc --debug shows where)"
            )
            raise _OneLine(unexpected) from error


def _printable(error: click.ClickException) -> click.ClickException:
    """An error of click's, which quotes what was typed, made safe for the terminal."""
    error.message = printable(error.message)  # type: ignore[misc]  # final, but nothing else prints it for us
    return error


class _OneLine(click.ClickException):
    """A UserError as click shows it: one line and its exit code."""

    def __init__(self, error: UserError) -> None:
        super().__init__(error.message)
        self.exit_code = error.exit_code  # type: ignore[misc]  # click's own errors set it so
