"""Stage 4: every evaluation video through the boundary-matching network to its proposals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.data.order import deal
from pipeline.data.windows.positions import video_input
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.progress import Progress, say
from pipeline.ranks import ranks
from pipeline.results.kept_maps import MAPS, KeptMaps, room_of
from pipeline.results.proposing import propose_video
from pipeline.results.tables import PROPOSALS, read_part, write_table
from pipeline.run_folder.identity import named, record_of
from pipeline.run_folder.ledger import Ledger, Made, is_current
from pipeline.run_folder.manifests import read_manifest
from pipeline.run_folder.stage import Stage
from pipeline.runs.inputs.fields import VIDEOS, made_by
from pipeline.runs.run import Run
from pipeline.training.networks.bmn import load_network


def run(run: Run) -> None:
    """Write a file a video, then `bmn/proposals/proposals.csv` of all: video, start, end, score.

    Only videos whose features, network or settings are others than they were are proposed for again.
    """
    stage = run.open("proposals")
    if stage.complete and stage.writes:
        _take_unrecorded(stage)
    distributed.barrier()  # none looks before that is done
    if stage.complete and run.is_complete("proposals"):
        say("bmn: proposals complete, nothing to do")
        return
    left_out = run.left_out("proposals", of="bmn")
    videos = run.features.available(run.dataset.video_ids(run.subsets[1]), left_out)
    if not videos:
        raise UserError(f"dataset.eval_subset {run.subsets[1]!r}: no video to propose for")
    kept = kept_maps(run, stage.fields, writes=stage.writes)
    made = _propose_all(run, stage, videos, kept)
    made, maps = (_of_all(lines) for lines in (made, kept.made))
    if not stage.writes:
        return
    kept.record(maps)
    ledger = Ledger(stage.folder)
    ledger.lines.update({line.video: line for line in made})
    ledger.write()
    tables = [read_part(_part(stage, video), video) for video in videos]
    proposals = pd.concat(tables, ignore_index=True)
    _require_some(run, {video: len(table) for video, table in zip(videos, tables, strict=True)})
    write_table(stage.folder / PROPOSALS, proposals)
    stage.finish({"proposals": len(proposals), "videos": len(videos), "left_out": left_out.names})
    say(f"bmn: {len(proposals)} proposals of {len(videos)} videos")


def kept_maps(run: Run, fields: Mapping[str, Any], *, writes: bool = True) -> KeptMaps:
    """The kept maps of a run whose stage has these fields: of its videos, network and settings before the maps.

    Several processes share the room of `bmn.keep_maps`.
    """
    settings = run.detection.bmn
    before = {key: value for key, value in fields.items() if not key.startswith("proposals.")}
    return KeptMaps(
        run.path("proposals") / MAPS,
        made_by(before),
        fields[VIDEOS],
        settings.boundary_center,
        room_of(settings.keep_maps, ranks().size),
        writes=writes,
        verify=run.verify,
    )


def _of_all(made: list[Made]) -> list[Made]:
    """The lines of all processes."""
    return [line for lines in distributed.gather_values(made) for line in lines]


def _require_some(run: Run, counts: Mapping[str, int]) -> None:
    """Say which videos have no proposal. Raises UserError where none has any: no number comes of that."""
    without = [video for video, count in counts.items() if not count]
    if len(without) == len(counts):
        raise UserError(
            f"bmn: no proposal for any of {len(counts)} videos: the network has learnt nothing, or "
            f"proposals.count or proposals.per_second allow none; see the loss in {run.path('bmn')}/history.json, and "
            "train again with a higher bmn.min_steps or another bmn.base_lr (--force)"
        )
    if without:
        say(f"bmn: {len(without)} of {len(counts)} videos have no proposal ({named(without)})")


def _take_unrecorded(stage: Stage) -> None:
    """Record the parts of an older program, which recorded none: what it made is current."""
    ledger, by = Ledger(stage.folder), made_by(stage.fields)
    manifest = read_manifest(stage.folder)
    if ledger.lines or manifest is None or manifest.former is None:
        return
    for video, of in stage.fields[VIDEOS].items():
        if (path := _part(stage, video)).is_file():
            file = record_of(path)
            made = Made(video=video, by=by, of=of, file=file, content=file.sha256)
            ledger.lines[video] = made
    ledger.write()


def _propose_all(run: Run, stage: Stage, videos: list[str], kept: KeptMaps) -> list[Made]:
    """Write the parts that are not current, and give what is to be recorded of them.

    All processes get about as many clips.
    """
    config, store = run.detection, run.features
    by, of = made_by(stage.fields), stage.fields[VIDEOS]
    ledger = Ledger(stage.folder)
    todo: list[str] = distributed.from_main_process(
        lambda: [video for video in videos if not _is_current(stage, ledger, video, by)]
    )
    if not todo:
        return []
    model = load_network(config.bmn, store.common_channels(videos), run.folder, run.device)
    sizes = [store.shape(video)[0] for video in todo]
    mine = [todo[index] for index in deal(sizes, ranks().size)[ranks().rank]]
    start = len(videos) - len(todo)
    made = []
    with Progress(start + len(mine), "proposals", unit="video", start=start) as bar:
        for done, video in enumerate(mine, start=1):
            source = video_input(store(video), config.bmn)
            table = propose_video(
                model, source, video, config.bmn, config.proposals, run.device, kept
            )
            write_table(_part(stage, video), table)
            file = record_of(_part(stage, video))
            made.append(Made(video=video, by=by, of=of[video], file=file, content=file.sha256))
            if stage.writes:
                ledger.note(made[-1])
            stage.progress(start + done, len(videos))
            bar.update(1)
    if kept.too_large and config.bmn.keep_maps is not False:
        say(f"bmn: maps of {kept.too_large} videos not kept: larger than bmn.keep_maps allows")
    return made


def _is_current(stage: Stage, ledger: Ledger, video: str, by: str) -> bool:
    of = stage.fields[VIDEOS][video]
    return is_current(_part(stage, video), ledger.get(video), by, of, verify=stage.verify)


def _part(stage: Stage, video: str) -> Path:
    return stage.folder / "videos" / f"{video}.csv"
