"""The commands that take features of other programs in, and give ours out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import configured, start
from pipeline.cli.paths import NamedPath, NamedPlace

if TYPE_CHECKING:
    from pipeline.configuration.sections.urls import Url


@click.command("import-features")
@click.option(
    "--from",
    "sources",
    required=True,
    multiple=True,
    type=NamedPlace(),
    metavar="PLACE",
    help="A folder of files VIDEO.npy (or .npz, .pt, .h5, .csv, .mat), or one .h5 or .npz file of all videos; a path or "
    "an address (s3://...). Repeatable: the channels are then joined.",
)
@click.option(
    "--fps",
    metavar="RATE",
    help="Frames per second at which the features were made; `video`: the rate of each video.",
)
@click.option(
    "--stride",
    type=int,
    metavar="N",
    help="Frames, at that rate, from one feature to the next.",
)
@click.option(
    "--offset-frames",
    type=float,
    metavar="FRAMES",
    help="The frame on which the first feature is centred. Default: stride / 2.",
)
@click.option(
    "--rescaled",
    type=click.IntRange(1),
    metavar="N",
    help="Each video was rescaled to N features; instead of --fps and --stride.",
)
@click.option(
    "--frames", type=int, default=8, show_default=True, metavar="N", help="Frames of a clip."
)
@click.option(
    "--interval",
    type=int,
    default=8,
    show_default=True,
    metavar="N",
    help="Frames, at that rate, from one frame of a clip to the next.",
)
@click.option(
    "--short-side",
    type=int,
    metavar="N",
    help="Shorter side of the frames in pixels, if it is known.",
)
@click.option(
    "--layout",
    type=click.Choice(["nc", "cn"]),
    help="The shape of an array: nc is [features, channels], the default; cn is [channels, features].",
)
@click.option("--channels-first", is_flag=True, help="The same as --layout cn.")
@configured("annotations", "videos", "allow-failures", "skip", "force")
def import_features(
    force: bool,
    sources: tuple[Path | Url, ...],
    layout: str | None,
    channels_first: bool,
    **options: Any,
) -> None:
    """Use features made elsewhere instead of extracting them.

    Feature i covers the seconds from i * stride / fps to (i + 1) * stride / fps. With --offset-frames it is centred on
    (offset + i * stride) / fps.

    \b
    Example: tada-loc import-features --config hacs --from features --fps 30 --stride 16
    """
    if channels_first and layout == "nc":
        raise click.UsageError("--channels-first and --layout nc contradict each other; give one")
    rates, count = _rates(options)
    from pipeline.data.foreign.finding import may_be_features
    from pipeline.data.remote.copies import local_paths
    from pipeline.stages.import_features import run as take

    short_side = options["short_side"]
    run = start("extract", options, force=force)
    axes = "cn" if channels_first else layout or "nc"
    paths = local_paths(sources, run.given.dataset, may_be_features)
    take(run, paths, layout=axes, rates=rates, count=count, short_side=short_side)


def _rates(options: dict[str, Any]) -> tuple[str, int]:
    """Whether each video has a rate of its own, and how many features it was rescaled to.

    Takes what is not a key out of the options. Raises click.UsageError where they do not go together.
    """
    count, fps = options.pop("rescaled"), options["fps"]
    if count is not None:
        wrong = [name for name in ("fps", "stride", "offset_frames") if options[name] is not None]
        if wrong:
            option = wrong[0].replace("_", "-")
            raise click.UsageError(
                f"--rescaled {count} already gives the time of each feature; leave --{option} out"
            )
        options["interval"] = options["frames"] = options["stride"] = 1
        return "rescaled", count
    for name in ("fps", "stride"):
        if options[name] is None:
            raise click.UsageError(
                f"Missing option '--{name}': how the features were made (or --rescaled N, where each video "
                "has N of them)"
            )
    if fps == "video":
        options["fps"] = None
        return "video", 0
    try:
        options["fps"] = float(fps)
    except ValueError:
        raise click.UsageError(f"--fps {fps}: a number of frames per second, or `video`") from None
    return "", 0


@click.command("export-features")
@click.option(
    "--to",
    "target",
    required=True,
    type=NamedPath(),
    metavar="DIR",
    help="The folder to write to.",
)
@configured("annotations", "allow-failures", "skip")
def export_features(target: Path, **options: Any) -> None:
    """Write features as .npy, for OpenTAD and ActionFormer.

    Writes VIDEO.npy for each video, and grid.json, which gives the time of each feature.

    Example: tada-loc export-features --run-dir runs/hacs --to features
    """
    from pipeline.tools.export import export_features as write

    write(start(None, options), target)
