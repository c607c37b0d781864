"""The command of a benchmark that runs stages: what goes wrong there is one line here too."""

from __future__ import annotations

from typing import Any

import click

from pipeline.errors import UserError


class StageCommand(click.Command):
    """A command that shows a UserError as click shows its own errors."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; ClickException where a stage raises UserError."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            shown = click.ClickException(error.message)
            shown.exit_code = error.exit_code
            raise shown from error
