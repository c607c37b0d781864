"""The options every stage's command takes, and what they start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

# Option of a command -> the configuration key it is shorthand for.
_KEYS = {
    "annotations": "dataset.annotations",
    "videos": "dataset.videos",
    "device": "runtime.device",
    "workers": "runtime.workers",
    "allow_failures": "runtime.allow_failures",
    "skip": "runtime.skip",
    "backbone": "backbone.name",
}


class NamedPath(click.Path):
    """A path; an empty one, as an unset variable of a shell leaves it, is not the folder one is in."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click's; fails for an empty one."""
        if value == "":
            self.fail("is empty; name a path", param, ctx)
        return super().convert(value, param, ctx)


def common(command: Callable[..., None]) -> Callable[..., None]:
    """The options every stage takes."""
    options = [
        click.option(
            "--config",
            metavar="FILE",
            help="A YAML file, or the name of a shipped one: small, hacs, ek100, demo, ...",
        ),
        click.option(
            "--run-dir",
            type=NamedPath(),
            metavar="DIR",
            help="Default: runs/CONFIG.",
        ),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            help="Any config key; repeatable.",
        ),
        click.option("--annotations", metavar="FILE", help="dataset.annotations"),
        click.option("--videos", metavar="DIR", help="dataset.videos"),
        click.option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, ..."),
        click.option("--workers", type=click.IntRange(0), help="Processes that read videos."),
        click.option(
            "--allow-failures", type=click.IntRange(0), metavar="N", help="Go on without N videos."
        ),
        click.option(
            "--skip", metavar="FILE", help="Go on without these videos: their ids, one a line."
        ),
        click.option(
            "--force", is_flag=True, help="Move results of other settings aside and start again."
        ),
        click.option("-v", "--verbose", is_flag=True, help="Say the settings in use."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def start(section: str | None, options: dict[str, Any]) -> tuple[Any, Path]:
    """The validated configuration and the run folder of a command's options."""
    from pipeline.stages.running import open_run

    common_options = {
        key: options.pop(key) for key in ("config", "run_dir", "assignments", "verbose")
    }
    options.pop("force", None)
    overrides = {
        _KEYS.get(key, f"{section}.{key}"): value
        for key, value in options.items()
        if value is not None
    }
    return open_run(overrides=overrides, **common_options)
