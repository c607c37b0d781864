"""What a head leaves of each evaluation video: a table in a file, made again only where it is not current."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from pipeline.data.order import deal
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.progress import Progress, say
from pipeline.ranks import ranks
from pipeline.results.tables import write_table
from pipeline.run_folder.identity import named, record_of
from pipeline.run_folder.ledger import Ledger, Made, is_current
from pipeline.run_folder.stage import Stage
from pipeline.runs.graph import maker
from pipeline.runs.inputs.fields import VIDEOS, made_by
from pipeline.runs.run import Run

Value = TypeVar("Value")
# Of videos, in their order, the table of each and what else is to be noted of it.
TablesOf = Callable[[Sequence[str]], Iterator[tuple[pd.DataFrame, dict[str, str]]]]


def part_of(stage: Stage, video: str) -> Path:
    """The file of a video."""
    return stage.folder / maker(stage.name).part_of(video)


def videos_to_do(run: Run, left_out: LeftOut) -> list[str]:
    """The evaluation videos that have features. Raises UserError where there is none."""
    videos = run.features.available(run.dataset.video_ids(run.subsets[1]), left_out)
    if not videos:
        raise UserError(f"dataset.eval_subset {run.subsets[1]!r}: no video to propose for")
    return videos


def make_parts(run: Run, stage: Stage, videos: Sequence[str], tables_of: TablesOf) -> list[Made]:
    """Write the files that are not current, and give what is to be recorded of them.

    All processes get about as many clips.
    """
    by, of = made_by(stage.fields), stage.fields[VIDEOS]
    ledger = Ledger(stage.folder)
    todo: list[str] = distributed.from_main_process(
        lambda: [video for video in videos if not _is_current(stage, ledger, video, by)]
    )
    if not todo:
        return []
    sizes = [run.features.shape(video)[0] for video in todo]
    mine = [todo[index] for index in deal(sizes, ranks().size)[ranks().rank]]
    start = len(videos) - len(todo)
    made: list[Made] = []
    if not mine:
        return made
    with Progress(start + len(mine), maker(stage.name).name, unit="video", start=start) as bar:
        for done, (video, (table, notes)) in enumerate(
            zip(mine, tables_of(mine), strict=True), start=1
        ):
            write_table(part_of(stage, video), table)
            file = record_of(part_of(stage, video))
            content = file.sha256
            made.append(
                Made(video=video, by=by, of=of[video], file=file, content=content, notes=notes)
            )
            if stage.writes:
                ledger.note(made[-1])
            stage.progress(start + done, len(videos))
            bar.update(1)
    return made


def of_all(made: list[Value]) -> list[Value]:
    """What all processes have made."""
    return [line for lines in distributed.gather_values(made) for line in lines]


def record_parts(stage: Stage, made: Sequence[Made]) -> Ledger:
    """Record what all processes have made."""
    ledger = Ledger(stage.folder)
    ledger.lines.update({line.video: line for line in made})
    ledger.write()
    return ledger


def require_some(run: Run, title: str, what: str, hint: str, counts: Mapping[str, int]) -> None:
    """Say for which videos nothing was found. Raises UserError where that is so of all: no number comes of that.

    `title`: the section of the head. `what` it finds. `hint`: the keys that may allow none.
    """
    without = [video for video, count in counts.items() if not count]
    if len(without) == len(counts):
        raise UserError(
            f"{title}: no {what} for any of {len(counts)} videos: the network has learnt nothing, or "
            f"{hint} allow none; see the loss in {run.path(title)}/history.json, and "
            f"train again with a higher {title}.min_steps or another {title}.base_lr (--force)"
        )
    if without:
        say(f"{title}: {len(without)} of {len(counts)} videos have no {what} ({named(without)})")


def _is_current(stage: Stage, ledger: Ledger, video: str, by: str) -> bool:
    of = stage.fields[VIDEOS][video]
    return is_current(part_of(stage, video), ledger.get(video), by, of, verify=stage.verify)
