"""The group of all commands: in the order they are used, and one line for every error."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import Any

import click

from pipeline.errors import UserError, machine_error, require_system
from pipeline.printing import printable
from pipeline.processes.compiling import no_compiler_folder
from pipeline.processes.stopping import terminable
from pipeline.streams import open_closed_streams, outlive_readers

PREFIX = "TADA_LOC"  # of variables of the environment


class Commands(click.Group):
    """Commands in sections, in the order they are used, and one line for every error."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.sections: dict[str, list[str]] = {}

    def add_section(self, title: str, *commands: click.Command) -> None:
        """Add commands under a heading of `--help`; docs/reference/commands has a page for each heading."""
        self.sections[title] = [str(command.name) for command in commands]
        for command in commands:
            _name_variables(command)
            self.add_command(command)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's, by section, and with whole sentences."""
        for title, names in self.sections.items():
            with formatter.section(title):
                rows = [(name, self.commands[name].get_short_help_str(100)) for name in names]
                formatter.write_dl(rows, col_max=20)

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
            require_system()
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


def _name_variables(command: click.Command) -> None:
    """Have options read variables of their own names: --to of `export` is TADA_LOC_EXPORT_TO.

    Click does so where the parameter has the option's name; where it has another, that one holds, too.
    """
    for option in command.params:
        name = max(option.opts, key=len).lstrip("-").replace("-", "_")
        if isinstance(option, click.Option) and option.envvar is None and name != option.name:
            option.envvar = f"{PREFIX}_{command.name}_{name}".replace("-", "_").upper()


def _printable(error: click.ClickException) -> click.ClickException:
    """An error of click's, which quotes what was typed, made safe for the terminal."""
    error.message = printable(error.message)  # type: ignore[misc]  # final, but nothing else prints it for us
    return error


class _OneLine(click.ClickException):
    """A UserError as click shows it: one line and its exit code."""

    def __init__(self, error: UserError) -> None:
        super().__init__(error.message)
        self.exit_code = error.exit_code  # type: ignore[misc]  # click's own errors set it so
