"""The stages up to detections on the command line, in short functions."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.options import ALL, LOG, SHARD, configured, start
from pipeline.cli.stages.doing import do


@click.command()
@click.option(
    "--epochs", type=int, metavar="N", help="Length of the training in epochs (finetune.epochs)."
)
@click.option(
    "--batch-size",
    type=int,
    metavar="N",
    help="Samples per training step, over all processes (finetune.batch_size).",
)
@click.option(
    "--backbone",
    metavar="NAME",
    help="The network: tada2d, tsn, r3d_tada, timm:resnet50, ... (backbone.name).",
)
@LOG
@configured(*ALL)
def finetune(**options: Any) -> None:
    """Train the classifier on the annotated segments.

    Its backbone then computes the features. An interrupted training continues from its last checkpoint.

    \b
    Example: tada-loc finetune --config small --annotations own.csv --videos videos
    Example: tada-loc finetune --config ek100 --videos data/ek100/videos --batch-size 16
    """
    do("finetune", options)


@click.command()
@configured("annotations", "videos", "workers", "allow-failures", "skip", "verify")
def proxies(verify: bool, **options: Any) -> None:
    """Make small copies of the training videos, for faster training.

    finetune.proxies is the shorter side of the copies in pixels; with the same key `tada-loc finetune` reads its clips from
    them. Features are always computed from the videos themselves. Run again, the command makes only copies that are
    missing or whose video has changed.

    Example: tada-loc proxies --config hacs finetune.proxies=320
    """
    from pipeline.tools.proxies.making import make_proxies

    make_proxies(start("finetune", options, verify=verify))


@click.command()
@click.option(
    "--fps",
    type=float,
    metavar="RATE",
    help="Frames per second at which videos are sampled (extract.fps).",
)
@click.option(
    "--stride",
    type=int,
    metavar="N",
    help="Frames, at that rate, from one clip to the next (extract.stride).",
)
@click.option(
    "--short-side",
    type=int,
    metavar="N",
    help="Shorter side of a frame in pixels (extract.short_side).",
)
@click.option(
    "--batch-size",
    type=int,
    metavar="N",
    help="Clips that go through the network at once (extract.batch_size).",
)
@click.option(
    "--decoder",
    type=click.Choice(["auto", "pyav", "decord", "nvdec"]),
    help="What decodes the videos; auto is pyav (extract.decoder).",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    help="Number format of the network (extract.precision).",
)
@SHARD
@click.option(
    "--check",
    is_flag=True,
    help="Compute nothing: list what is missing, or mark the stage as complete.",
)
@configured(*ALL)
def extract(check: bool, **options: Any) -> None:
    """Compute the clip features of every video.

    One HDF5 file per video. Start the command several times, on any machines that share the run folder, and the processes
    divide the videos among themselves.

    \b
    Example: tada-loc extract --run-dir runs/own
    Example: tada-loc extract --config ek100 --shard 3/16
    """
    if check:
        from pipeline.cli.stages.doing import check_features

        check_features(options)
    else:
        do("extract", options)


@click.command()
@click.option(
    "--epochs", type=int, metavar="N", help="Length of the training in epochs (bmn.epochs)."
)
@click.option(
    "--batch-size",
    type=int,
    metavar="N",
    help="Samples per training step, over all processes (bmn.batch_size).",
)
@LOG
@SHARD
@configured(*ALL)
def bmn(**options: Any) -> None:
    """Train BMN, and write its proposals.

    The boundary-matching network learns from the features of the training videos. The same as `tada-loc detect --detector bmn`.

    Example: tada-loc bmn --config hacs proposals.alpha=0.5
    """
    do("bmn", options | {"detector": "bmn"})


@click.command()
@click.option(
    "--detector", type=click.Choice(["bmn", "actionformer"]), help="The head (detector.name)."
)
@LOG
@SHARD
@configured(*ALL)
def detect(**options: Any) -> None:
    """Train BMN or ActionFormer, and write what it finds.

    bmn writes proposals, which `tada-loc classify` turns into detections. actionformer writes detections, or proposals with
    actionformer.classes=none. Without --detector, detector.name decides.

    Example: tada-loc detect --config hacs_actionformer
    """
    do("detect", options)


@click.command()
@click.option(
    "--mode",
    type=click.Choice(["video", "proposal"]),
    help="What gets class scores: the whole video, or each proposal (classify.mode).",
)
@click.option(
    "--source",
    type=click.Choice(["features", "video"]),
    help="What a proposal is classified on: stored features, or clips decoded at the proposal (classify.source).",
)
@SHARD
@configured(*ALL)
def classify(**options: Any) -> None:
    """Turn proposals into detections, by their class scores.

    Example: tada-loc classify --config ek100
    """
    do("classify", options)
