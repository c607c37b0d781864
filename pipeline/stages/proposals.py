"""Stage 4: every evaluation video through the boundary-matching network to its proposals."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.data.order import deal
from pipeline.data.windows.positions import video_input
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.progress import Progress, say
from pipeline.ranks import ranks
from pipeline.results.proposing import propose_video
from pipeline.results.tables import PROPOSALS, read_part, write_table
from pipeline.run_folder.manifests import Stage
from pipeline.runs.run import Run
from pipeline.training.bmn_network import load_network


def run(run: Run) -> None:
    """Write a file a video, then `bmn/proposals/proposals.csv` of all: video, start, end, score."""
    stage = run.open("proposals")
    if stage.complete:
        say("bmn: proposals complete, nothing to do")
        return
    left_out = run.left_out("proposals", of="bmn")
    videos = run.features.available(run.dataset.video_ids(run.subsets[1]), left_out)
    if not videos:
        raise UserError(f"dataset.eval_subset {run.subsets[1]!r}: no video to propose for")
    _propose_all(run, stage, videos)
    distributed.barrier()
    if not stage.writes:
        return
    tables = [read_part(_part(stage, video), video) for video in videos]
    proposals = pd.concat(tables, ignore_index=True)
    write_table(stage.folder / PROPOSALS, proposals)
    stage.finish({"proposals": len(proposals), "videos": len(videos), "left_out": left_out.names})
    say(f"bmn: {len(proposals)} proposals of {len(videos)} videos")


def _propose_all(run: Run, stage: Stage, videos: list[str]) -> None:
    """Write the parts that are not there; all processes get about as many clips."""
    config, store = run.detection, run.features
    channels = store.common_channels(videos)
    model = load_network(config.bmn, channels, run.folder, run.device)
    todo = distributed.from_main_process(
        lambda: [video for video in videos if not _part(stage, video).exists()]
    )
    sizes = [store.shape(video)[0] for video in todo]
    mine = [todo[index] for index in deal(sizes, ranks().size)[ranks().rank]]
    start = len(videos) - len(todo)
    with Progress(start + len(mine), "proposals", unit="video", start=start) as bar:
        for done, video in enumerate(mine, start=1):
            source = video_input(store(video), config.bmn)
            table = propose_video(model, source, video, config.bmn, config.proposals, run.device)
            write_table(_part(stage, video), table)
            stage.progress(start + done, len(videos))
            bar.update(1)


def _part(stage: Stage, video: str) -> Path:
    return stage.folder / "videos" / f"{video}.csv"
