"""Stage 4: every evaluation video through ActionFormer to its detections, or to segments without classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from feature_extraction.lanes import in_lanes
from pipeline.processes import distributed
from pipeline.processes.device import lanes_on, one_thread
from pipeline.progress import say
from pipeline.results.detecting import found_in, segments_in
from pipeline.results.tables import (
    DETECTIONS,
    PROPOSALS,
    read_detected,
    read_part,
    write_table,
)
from pipeline.run_folder.stage import Stage
from pipeline.runs.run import Run
from pipeline.stages.heads.parts import (
    make_parts,
    of_all,
    part_of,
    record_parts,
    require_some,
    videos_to_do,
)
from pipeline.training.networks.actionformer import Networks, load_network, sizes_of

_BEYOND = "beyond"  # noted of a video: how much was found wholly behind its end


def detect(run: Run) -> None:
    """Write a file a video, then `actionformer/detections/detections.csv` of all and `proposals.csv` beside it.

    The proposals are the segments of the detections, each once, with its best score.
    """
    found = _found_in_all(run, "detections")
    if found is None:
        return
    stage, detections, summary = found
    write_table(stage.folder / PROPOSALS, segments_in(detections))
    write_table(stage.folder / DETECTIONS, detections)
    stage.finish({"detections": len(detections), **summary})
    say(f"actionformer: {len(detections)} detections of {summary['videos']} videos")


def propose(run: Run) -> None:
    """Write a file a video, then `actionformer/proposals/proposals.csv` of all: video, start, end, score."""
    found = _found_in_all(run, "segments")
    if found is None:
        return
    stage, proposals, summary = found
    write_table(stage.folder / PROPOSALS, proposals)
    stage.finish({"proposals": len(proposals), **summary})
    say(f"actionformer: {len(proposals)} proposals of {summary['videos']} videos")


def _found_in_all(run: Run, name: str) -> tuple[Stage, pd.DataFrame, dict[str, object]] | None:
    """The stage opened, what is found in all videos, and what is to be said of it; None where that is done.

    Only videos whose features, network or settings are others than they were are looked at again. Of several
    processes the main one alone gets it.
    """
    stage = run.open(name)
    distributed.barrier()  # none looks before that is done
    what = "detections" if name == "detections" else "proposals"
    if stage.complete and run.is_complete(name):
        say(f"actionformer: {what} complete, nothing to do")
        return None
    left_out = run.left_out(name, of="actionformer")
    videos = videos_to_do(run, left_out)
    made = of_all(
        make_parts(run, stage, videos, partial(_tables, run, run.features.common_channels(videos)))
    )
    if not stage.writes:
        return None
    ledger = record_parts(stage, made)
    read = read_detected if name == "detections" else partial(read_part, command="detect")
    tables = [read(part_of(stage, video), video) for video in videos]
    counts = {video: len(table) for video, table in zip(videos, tables, strict=True)}
    hint = "detections.score_threshold or detections.min_score"
    require_some(run, "actionformer", what.removesuffix("s"), hint, counts)
    beyond = sum(int(ledger.lines[video].notes.get(_BEYOND, 0)) for video in videos)
    if beyond:
        say(f"actionformer: {beyond} {what} lay wholly behind the ends of their videos, left out")
    summary = {"videos": len(videos), _BEYOND: beyond, "left_out": left_out.names}
    return stage, pd.concat(tables, ignore_index=True), summary


def _tables(
    run: Run, channels: int, videos: Sequence[str]
) -> Iterator[tuple[pd.DataFrame, dict[str, str]]]:
    """What is found in each of these videos. On a CPU as many are looked at at once as torch has threads."""
    config = run.detection
    sizes = sizes_of(config.actionformer, run.dataset.heads)
    model = load_network(config.actionformer, channels, sizes, run.folder, run.device)
    lanes = lanes_on(run.device)
    with one_thread():
        yield from in_lanes(partial(_table, run, model), videos, lanes)


def _table(run: Run, model: Networks, video: str) -> tuple[pd.DataFrame, dict[str, str]]:
    found = found_in(
        model, run.features(video), video, run.detection, run.dataset.heads, run.device
    )
    return found.table, {_BEYOND: str(found.beyond)} if found.beyond else {}
