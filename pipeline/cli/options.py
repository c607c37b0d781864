"""The options of the commands, and the run they name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.printing import printable_lines

if TYPE_CHECKING:
    from pipeline.runs.run import Run

# Option of a command -> the configuration key it is shorthand for.
_KEYS = {
    "annotations": "dataset.annotations",
    "videos": "dataset.videos",
    "device": "runtime.device",
    "workers": "runtime.workers",
    "allow_failures": "runtime.allow_failures",
    "skip": "runtime.skip",
    "log": "runtime.log",
    "backbone": "backbone.name",
    "detector": "detector.name",
}
Command = Callable[..., None]


class NamedPath(click.Path):
    """A path; an empty one, from an unset shell variable, does not mean the current folder."""

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
        """As `NamedPath`, an address as a `Url`; fails for one that is not accepted."""
        from pipeline.configuration.sections.urls import Url, is_url, masked

        if not isinstance(value, str) or not is_url(value):
            return super().convert(value, param, ctx)
        try:
            return Url(value)
        except ValueError as error:
            self.fail(f"{masked(value)}: {error}", param, ctx)


def _assignments(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    for value in values:
        if "=" not in value:
            raise click.UsageError(f"Got unexpected extra argument ({value}); KEY=VALUE sets a key")
    return values


def echo(text: str) -> None:
    """Print a table or a line of ours on stdout; nothing in it controls the terminal."""
    click.echo(printable_lines(text))


JSON = click.option("--json", "json_file", type=NamedPath(), help="Write the numbers here too.")


def _of_why(context: click.Context, _: click.Parameter, value: float | None) -> float:
    """The tIoU asked for, refused if it would have no effect."""
    from pipeline.errors import UsageError

    if value is not None and not context.params.get("why"):
        raise UsageError("--at: sets the tIoU of --why; add --why")
    return 0.5 if value is None else value


WHY = click.option(
    "--why",
    is_flag=True,
    is_eager=True,  # known before --at is looked at
    help="Tell the kinds of errors, and which stage costs the points.",
)
AT = click.option(
    "--at",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="TIOU",
    callback=_of_why,
    help="The tIoU of --why. Default: 0.5.",
)
LOG = click.option(
    "--log",
    multiple=True,
    type=click.Choice(["csv", "tensorboard", "wandb"]),
    callback=lambda ctx, param, values: list(values) or None,
    help="Show trainings there too; repeatable. metrics.csv is always written.",
)
KEYS = click.argument("keys", nargs=-1, metavar="[KEY=VALUE]...", callback=_assignments)
SET = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any config key; KEY=VALUE alone does the same.",
)
_CONFIG = click.option(
    "--config",
    metavar="FILE",
    help="A YAML file, or the name of a shipped one: small, hacs, ek100, demo, ...",
)
_RUN_DIR = click.option("--run-dir", type=NamedPath(), metavar="DIR", help="Default: runs/CONFIG.")
_VERBOSE = click.option("-v", "--verbose", is_flag=True, help="Say the settings in use.")
_OPTIONS = {
    "annotations": click.option("--annotations", metavar="FILE", help="dataset.annotations"),
    "videos": click.option("--videos", metavar="DIR", help="dataset.videos"),
    "device": click.option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, ..."),
    "workers": click.option("--workers", type=click.IntRange(0), help="Data-loading processes."),
    "allow-failures": click.option(
        "--allow-failures", type=click.IntRange(0), metavar="N", help="Continue without N videos."
    ),
    "skip": click.option(
        "--skip", metavar="FILE", help="Skip these videos: their ids, one per line."
    ),
    "verify": click.option(
        "--verify", is_flag=True, help="Compare bytes, whatever size and time of a file say."
    ),
    "force": click.option(
        "--force", is_flag=True, help="Move a training of other inputs aside and train again."
    ),
}
SHARD = click.option(
    "--shard",
    metavar="I/N",
    help="Make share I of N (I from 0) alone; none: all. Default: by the job array.",
)
ALL = tuple(_OPTIONS)  # the options of a command that reads annotations and videos and computes


def configured(*names: str, run_dir: bool = True) -> Callable[[Command], Command]:
    """The options of a command on a run (or, without `run_dir`, on a configuration), and those named."""

    def decorate(command: Command) -> Command:
        options = [_CONFIG, *([_RUN_DIR] if run_dir else []), SET, KEYS]
        options += [_OPTIONS[name] for name in names]
        for option in reversed([*options, _VERBOSE]):
            command = option(command)
        return command

    return decorate


def overrides(section: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Options as dotted keys of the configuration; those that are not given are left out.

    An option that stands for no key of its own is one of `section`.
    """
    from pipeline.configuration.reading import parse_overrides

    assigned = parse_overrides([*options.pop("assignments", ()), *options.pop("keys", ())])
    given = {
        _KEYS.get(key, f"{section}.{key}"): value
        for key, value in options.items()
        if value is not None
    }
    return given | assigned


def start(
    section: str | None, options: dict[str, Any], *, force: bool = False, verify: bool = False
) -> Run:
    """The run a command's options name. Raises UsageError for what is wrong.

    What one `eval` is given about how to evaluate does not become the run's configuration.
    """
    from pipeline.cli.choosing import choose
    from pipeline.configuration.reading import dump_config, load_config
    from pipeline.progress import say
    from pipeline.runs.run import Run

    path, folder = choose(options.pop("config"), options.pop("run_dir", None))
    verbose = options.pop("verbose")
    given = overrides(section, options)
    config = load_config(path, given)
    if verbose:
        for line in [
            f"configuration {path}, run folder {folder}",
            *dump_config(config).split("\n"),
        ]:
            say(line)
    lasting = {key: value for key, value in given.items() if not key.startswith("eval.")}
    kept = (
        load_config(path, lasting, quiet=True) if section == "eval" and lasting != given else None
    )
    return Run(folder, config, force, verify=verify, kept=kept)
