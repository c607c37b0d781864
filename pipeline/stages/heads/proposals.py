"""Stage 4: every evaluation video through the boundary-matching network to its proposals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.data.videos.left_out import LeftOut
from pipeline.data.windows.positions import video_input
from pipeline.progress import say
from pipeline.ranks import ranks
from pipeline.results.kept_maps import KeptMaps, room_of
from pipeline.results.proposing import propose_video
from pipeline.results.tables import MAPS, PROPOSALS, read_part, write_table
from pipeline.run_folder.identity import record_of
from pipeline.run_folder.joined.journals import journal_path
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.run_folder.manifests import read_manifest
from pipeline.run_folder.stage import Stage
from pipeline.runs.inputs.fields import VIDEOS, made_by
from pipeline.runs.joint import joined
from pipeline.runs.run import Run
from pipeline.stages.heads.parts import (
    all_made,
    make_parts,
    part_of,
    require_some,
    videos_to_do,
)
from pipeline.training.networks.bmn import load_network


def run(run: Run) -> None:
    """Write a file per video, then `bmn/proposals/proposals.csv` of all: video, start, end, score.

    Only videos whose features, network or settings changed get new proposals.
    """
    while not _together(run):
        say("bmn: other processes took this one for dead; starting again")


def _together(run: Run) -> bool:
    """Work until all is done, or this process's shard is; False if it has to start again."""
    with joined(run, "proposals", _take_unrecorded) as (stage, work):
        if stage.complete and run.is_complete("proposals"):
            say("bmn: proposals complete, nothing to do")
            return True
        left_out = run.left_out("proposals", of="bmn")
        videos = videos_to_do(run, left_out)
        journal = journal_path(run.path("proposals") / MAPS, work.member.id)
        kept = kept_maps(run, stage.fields, journal=journal)
        tables = partial(_tables, run, kept, run.features.common_channels(videos))
        coming = make_parts(run, stage, work, videos, tables)
        if kept.too_large and run.detection.bmn.keep_maps is not False:
            say(f"bmn: maps of {kept.too_large} videos not kept: larger than bmn.keep_maps allows")
        with all_made(run, stage, work, coming) as last:
            if isinstance(last, bool):
                return last
            kept.record()
            _finish(run, last, videos, left_out)
    return True


def _finish(run: Run, stage: Stage, videos: Sequence[str], left_out: LeftOut) -> None:
    """Write the table of all."""
    tables = [read_part(part_of(stage, video), video) for video in videos]
    proposals = pd.concat(tables, ignore_index=True)
    counts = {video: len(table) for video, table in zip(videos, tables, strict=True)}
    require_some(run, "bmn", "proposal", "proposals.count or proposals.per_second", counts)
    write_table(stage.folder / PROPOSALS, proposals)
    stage.finish({"proposals": len(proposals), "videos": len(videos), "left_out": left_out.names})
    say(f"bmn: {len(proposals)} proposals of {len(videos)} videos")


def kept_maps(run: Run, fields: Mapping[str, Any], *, journal: Path | None = None) -> KeptMaps:
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
        journal=journal,
        verify=run.verify,
    )


def _take_unrecorded(stage: Stage) -> None:
    """Record the parts of an older program, which recorded none: what it made is current."""
    if not stage.complete:
        return
    ledger, by = Ledger(stage.folder), made_by(stage.fields)
    manifest = read_manifest(stage.folder)
    if ledger.lines or manifest is None or manifest.former is None:
        return
    for video, of in stage.fields[VIDEOS].items():
        if (path := part_of(stage, video)).is_file():
            file = record_of(path)
            made = Made(video=video, by=by, of=of, file=file, content=file.sha256)
            ledger.lines[video] = made
    ledger.write()


def _tables(
    run: Run, kept: KeptMaps, channels: int, videos: Iterable[str]
) -> Iterator[tuple[pd.DataFrame, dict[str, str]]]:
    """The proposals of each of these videos."""
    config, store = run.detection, run.features
    model = load_network(config.bmn, channels, run.folder, run.device)
    for video in videos:
        source = video_input(store(video), config.bmn)
        yield (
            propose_video(model, source, video, config.bmn, config.proposals, run.device, kept),
            {},
        )
