"""Stage 4: every evaluation video through ActionFormer to its detections, or to segments without classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import pandas as pd

from feature_extraction.lanes import in_lanes
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
from pipeline.run_folder.ledger import Ledger
from pipeline.run_folder.stage import Stage
from pipeline.runs.joint import joined
from pipeline.runs.run import Run
from pipeline.stages.heads.parts import (
    all_made,
    make_parts,
    part_of,
    require_some,
    videos_to_do,
)
from pipeline.training.networks.actionformer import Networks, load_network, sizes_of

_BEYOND = "beyond"  # noted of a video: how much was found wholly after its end


def detect(run: Run) -> None:
    """Write a file per video, then `actionformer/detections/detections.csv` of all and `proposals.csv` beside it.

    The proposals are the segments of the detections, each once, with its best score.
    """
    classify = run.config.classify
    if classify is not None and classify.scores is not None:
        say(
            f"actionformer: classify.scores = {classify.scores} is not used, because ActionFormer predicts the classes; "
            "set actionformer.classes=none to take them from the file"
        )
    while not _together(run, "detections", _write_detections):
        say("actionformer: other processes took this one for dead; starting again")


def propose(run: Run) -> None:
    """Write a file per video, then `actionformer/proposals/proposals.csv` of all: video, start, end, score."""
    while not _together(run, "segments", _write_proposals):
        say("actionformer: other processes took this one for dead; starting again")


def _together(
    run: Run, name: str, write: Callable[[Stage, pd.DataFrame, dict[str, object]], None]
) -> bool:
    """Work until all is done, or this process's shard is; False if it has to start again.

    Only videos whose features, network or settings changed are processed again.
    """
    with joined(run, name) as (stage, work):
        what = "detections" if name == "detections" else "proposals"
        if stage.complete and run.is_complete(name):
            say(f"actionformer: {what} complete, nothing to do")
            return True
        left_out = run.left_out(name, of="actionformer")
        videos = videos_to_do(run, left_out)
        tables = partial(_tables, run, run.features.common_channels(videos))
        coming = make_parts(run, stage, work, videos, tables)
        with all_made(run, stage, work, coming) as last:
            if isinstance(last, bool):
                return last
            found, beyond = _found_in_all(run, last, videos, what)
            write(last, found, {"videos": len(videos), _BEYOND: beyond, "left_out": left_out.names})
    return True


def _found_in_all(
    run: Run, stage: Stage, videos: Sequence[str], what: str
) -> tuple[pd.DataFrame, int]:
    """What is found in all videos, and how much was after their ends. Raises UserError if nothing is."""
    read = read_detected if what == "detections" else partial(read_part, command="detect")
    tables = [read(part_of(stage, video), video) for video in videos]
    counts = {video: len(table) for video, table in zip(videos, tables, strict=True)}
    hint = "detections.score_threshold or detections.min_score"
    require_some(run, "actionformer", what.removesuffix("s"), hint, counts)
    lines = Ledger(stage.folder).lines
    beyond = sum(int(lines[video].notes.get(_BEYOND, 0)) for video in videos)
    if beyond:
        say(f"actionformer: {beyond} {what} lay wholly after the ends of their videos, left out")
    return pd.concat(tables, ignore_index=True), beyond


def _write_detections(stage: Stage, found: pd.DataFrame, summary: dict[str, object]) -> None:
    write_table(stage.folder / PROPOSALS, segments_in(found))
    write_table(stage.folder / DETECTIONS, found)
    stage.finish({"detections": len(found), **summary})
    say(f"actionformer: {len(found)} detections of {summary['videos']} videos")


def _write_proposals(stage: Stage, found: pd.DataFrame, summary: dict[str, object]) -> None:
    write_table(stage.folder / PROPOSALS, found)
    stage.finish({"proposals": len(found), **summary})
    say(f"actionformer: {len(found)} proposals of {summary['videos']} videos")


def _tables(
    run: Run, channels: int, videos: Iterable[str]
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
