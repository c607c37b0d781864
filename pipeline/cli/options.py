"""The options of the commands, and the run they name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.paths import NamedPath
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


class SharedOption(click.Option):
    """An option of a run and its configuration, which most commands have."""


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


JSON = click.option(
    "--json",
    "json_file",
    type=NamedPath(),
    metavar="FILE",
    help="Also write the numbers to this JSON file.",
)


def _of_why(context: click.Context, _: click.Parameter, value: float | None) -> float:
    """The tIoU asked for, refused if it would have no effect."""
    from pipeline.errors import UsageError

    if value is not None and not context.params.get("why"):
        raise UsageError("--at: sets the tIoU of --why; add --why")
    return 0.5 if value is None else value


IOU = click.option(
    "--iou",
    metavar="LIST",
    help="tIoU thresholds: start:step:end (end included), or numbers with commas (eval.iou).",
)
WHY = click.option(
    "--why",
    is_flag=True,
    is_eager=True,  # known before --at is looked at
    help="Also show how many points each kind of error costs and, for a run, each stage.",
)
AT = click.option(
    "--at",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="TIOU",
    callback=_of_why,
    help="The tIoU at which --why sorts errors. Default: 0.5.",
)
LOG = click.option(
    "--log",
    multiple=True,
    type=click.Choice(["csv", "tensorboard", "wandb"]),
    callback=lambda ctx, param, values: list(values) or None,
    help="Also log trainings there (runtime.log); repeatable. metrics.csv is always written.",
)
KEYS = click.argument("keys", nargs=-1, metavar="[KEY=VALUE]...", callback=_assignments)
_SHARED = partial(click.option, cls=SharedOption)
SET = _SHARED(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set any key of the configuration; KEY=VALUE without --set does the same. Repeatable.",
)
_CONFIG = _SHARED(
    "--config",
    metavar="FILE",
    help="A YAML file, a model file, or the name of a shipped configuration: small, hacs, ek100, demo, ... "
    "Default: that of the run folder, else tada-loc.yaml in this folder, else ek100.",
)
_RUN_DIR = _SHARED(
    "--run-dir",
    type=NamedPath(),
    metavar="DIR",
    help="The run folder. Default: runs/CONFIG; without --config, the only one in runs/.",
)
_VERBOSE = _SHARED("-v", "--verbose", is_flag=True, help="Show the settings in use.")
_OPTIONS = {
    "annotations": _SHARED(
        "--annotations", metavar="FILE", help="The annotation file (dataset.annotations)."
    ),
    "videos": _SHARED("--videos", metavar="DIR", help="The folder of the videos (dataset.videos)."),
    "device": _SHARED(
        "--device",
        metavar="NAME",
        help="Where the networks run: auto, cpu, cuda, cuda:1, ... (runtime.device).",
    ),
    "workers": _SHARED(
        "--workers",
        type=click.IntRange(0),
        metavar="N",
        help="Processes that load data; 0: the main process does (runtime.workers).",
    ),
    "allow-failures": _SHARED(
        "--allow-failures",
        type=click.IntRange(0),
        metavar="N",
        help="Continue if at most N videos fail (runtime.allow_failures).",
    ),
    "skip": _SHARED(
        "--skip",
        metavar="FILE",
        help="Leave out the videos listed in this file, one id per line (runtime.skip).",
    ),
    "verify": _SHARED(
        "--verify",
        is_flag=True,
        help="Compare the bytes of files, even if their size and time are unchanged.",
    ),
    "force": _SHARED(
        "--force",
        is_flag=True,
        help="Train again if the inputs of a training have changed, and extract in place of imported features; what was "
        "there is moved aside.",
    ),
}
SHARD = click.option(
    "--shard",
    metavar="I/N",
    help="Process only shard I of N of the videos (I from 0); none: take part in all. "
    "Default: the share of this task of a job array, if there is one.",
)
RUN = click.option(
    "--run-dir",
    type=NamedPath(),
    metavar="DIR",
    help="The run folder. Default: the only one in runs/.",
)
MODEL = click.option(
    "--model",
    type=NamedPath(),
    metavar="FILE",
    help="A model file (from `tada-loc export`) instead of a run.",
)
DEVICE = click.option(
    "--device",
    metavar="NAME",
    help="Where the networks run: auto, cpu, cuda, cuda:1, ... Default: as in the run.",
)
CLASSES = click.option(
    "--classes", multiple=True, metavar="A,B", help="Only these classes; repeatable."
)
FRAME_FPS = click.option(
    "--frame-fps",
    type=click.FloatRange(0, min_open=True),
    metavar="RATE",
    help="Frames per second of videos that are folders of frames.",
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
