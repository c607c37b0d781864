"""The stages up to detections on the command line: a few lines each."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.options import ALL, LOG, SHARD, configured, start
from pipeline.cli.stages.doing import do


@click.command()
@configured(*ALL)
@click.option("--epochs", type=int, help="finetune.epochs")
@click.option("--batch-size", type=int, help="finetune.batch_size")
@click.option("--backbone", help="backbone.name (tada2d, tsn, r3d_tada, ...)")
@LOG
def finetune(**options: Any) -> None:
    """Train the classifier on trimmed segments.

    Example: tada-loc finetune --config ek100 --videos data/ek100/videos --batch-size 16
    """
    do("finetune", options)


@click.command()
@configured("annotations", "videos", "workers", "allow-failures", "skip", "verify")
def proxies(verify: bool, **options: Any) -> None:
    """Make small copies of the training videos, which clips are read from many times faster.

    Their size is finetune.proxies; with the same key `tada-loc finetune` trains on them. Features are made of the
    videos themselves. Again, only what is missing or of another file is made.

    Example: tada-loc proxies --config hacs finetune.proxies=320
    """
    from pipeline.tools.proxies.making import make_proxies

    make_proxies(start("finetune", options, verify=verify))


@click.command()
@configured(*ALL)
@click.option("--fps", type=float, help="extract.fps: frames per second the videos are sampled at.")
@click.option("--stride", type=int, help="extract.stride: frames from clip to clip.")
@click.option("--short-side", type=int, help="extract.short_side, pixels")
@click.option("--batch-size", type=int, help="extract.batch_size")
@click.option(
    "--decoder", type=click.Choice(["auto", "pyav", "decord", "nvdec"]), help="extract.decoder"
)
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), help="extract.precision")
@SHARD
@click.option(
    "--check", is_flag=True, help="Make nothing: say what is missing, or that all is done."
)
def extract(check: bool, **options: Any) -> None:
    """Turn every video into a file of clip features.

    Started several times, on any machines that share the run folder, the processes share the videos.

    \b
    Example: tada-loc extract --fps 60
    Example: tada-loc extract --config ek100 --shard 3/16
    """
    if check:
        from pipeline.cli.stages.doing import check_features

        check_features(options)
    else:
        do("extract", options)


@click.command()
@configured(*ALL)
@click.option("--epochs", type=int, help="bmn.epochs")
@click.option("--batch-size", type=int, help="bmn.batch_size")
@LOG
@SHARD
def bmn(**options: Any) -> None:
    """Train the boundary-matching network and write proposals; `tada-loc detect --detector bmn`.

    Example: tada-loc bmn --config hacs proposals.alpha=0.5
    """
    do("bmn", options | {"detector": "bmn"})


@click.command()
@configured(*ALL)
@click.option(
    "--detector", type=click.Choice(["bmn", "actionformer"]), help="detector.name: which head."
)
@LOG
@SHARD
def detect(**options: Any) -> None:
    """Train the head of `detector.name`, and write what it finds.

    bmn: proposals, as `tada-loc bmn` does. actionformer: detections, or proposals with actionformer.classes=none.

    Example: tada-loc detect --config hacs --detector actionformer
    """
    do("detect", options)


@click.command()
@configured(*ALL)
@click.option("--mode", type=click.Choice(["video", "proposal"]), help="classify.mode")
@click.option(
    "--source",
    type=click.Choice(["features", "video"]),
    help="classify.source: stored features, or clips decoded at each proposal.",
)
@SHARD
def classify(**options: Any) -> None:
    """Give the proposals their classes.

    Example: tada-loc classify --config ek100
    """
    do("classify", options)
