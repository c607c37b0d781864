"""The commands that take features of other programs in, and give ours out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import NamedPath, NamedPlace, configured, start

if TYPE_CHECKING:
    from pipeline.configuration.sections.urls import Url


@click.command("import-features")
@configured("annotations", "videos", "allow-failures", "skip", "force")
@click.option(
    "--from",
    "sources",
    required=True,
    multiple=True,
    type=NamedPlace(),
    metavar="PLACE",
    help="A folder of VIDEO.npy, .npz, .pt, .h5, .csv or .mat, or an .h5 or .npz of all videos. "
    "Several: their channels are joined. Addresses, too: s3://...",
)
@click.option(
    "--fps", metavar="RATE", help="Frames per second they were made at; `video`: each video's own."
)
@click.option("--stride", type=int, help="Frames from feature to feature, at that rate.")
@click.option(
    "--offset-frames",
    type=float,
    metavar="FRAMES",
    help="Frame that the first feature is centred on; without it, stride / 2.",
)
@click.option(
    "--rescaled",
    type=click.IntRange(1),
    metavar="N",
    help="Each video was rescaled to N features; in place of --fps and --stride.",
)
@click.option("--frames", type=int, default=8, show_default=True, help="Frames per clip had.")
@click.option(
    "--interval",
    type=int,
    default=8,
    show_default=True,
    help="Frames from one to the next in a clip.",
)
@click.option(
    "--short-side", type=int, help="Short side of the frames in pixels, where it is known."
)
@click.option(
    "--layout",
    type=click.Choice(["nc", "cn"]),
    help="nc: [features, channels], the default; cn: [channels, features].",
)
@click.option("--channels-first", is_flag=True, help="The same as --layout cn.")
def import_features(
    force: bool,
    sources: tuple[Path | Url, ...],
    layout: str | None,
    channels_first: bool,
    **options: Any,
) -> None:
    """Take features made elsewhere in place of extract's.

    Feature i stands for the seconds [i, i + 1) * stride / fps, or around (offset + i * stride) / fps.

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
@configured("annotations", "allow-failures", "skip")
@click.option(
    "--to",
    "target",
    required=True,
    type=NamedPath(),
    metavar="FOLDER",
    help="Where VIDEO.npy and grid.json go.",
)
def export_features(target: Path, **options: Any) -> None:
    """Write the run's features as .npy, for OpenTAD and ActionFormer.

    grid.json beside them says the time of each feature.

    Example: tada-loc export-features --run-dir runs/hacs --to features
    """
    from pipeline.tools.export import export_features as write

    write(start(None, options), target)
