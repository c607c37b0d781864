"""Paths and addresses on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class NamedPath(click.Path):
    """A path; an empty one, as an unset variable of a shell leaves it, is not the folder one is in."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click's; fails for an empty one."""
        if value == "":
            self.fail("is empty; name a path", param, ctx)
        return super().convert(value, param, ctx)


class NamedPlace(NamedPath):
    """A path, or an address of a cloud store (docs/how-to/cloud.md)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As `NamedPath`, an address as a `Url`; fails for one that is not taken."""
        from pipeline.configuration.sections.urls import Url, is_url, masked

        if not isinstance(value, str) or not is_url(value):
            return super().convert(value, param, ctx)
        try:
            return Url(value)
        except ValueError as error:
            self.fail(f"{masked(value)}: {error}", param, ctx)
