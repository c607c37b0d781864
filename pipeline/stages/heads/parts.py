"""What a head leaves of each evaluation video: a table in a file, made again only where it is not current."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import pandas as pd

from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.progress import Progress, say
from pipeline.results.tables import write_table
from pipeline.run_folder.identity import named, record_of
from pipeline.run_folder.joined.claims import Claim
from pipeline.run_folder.joined.sharing import Work
from pipeline.run_folder.joined.todo import Todo
from pipeline.run_folder.ledger import Ledger, Made, is_current, plain
from pipeline.run_folder.stage import Stage
from pipeline.runs.graph import maker
from pipeline.runs.inputs.fields import VIDEOS, made_by
from pipeline.runs.joint import finishing, is_finished
from pipeline.runs.run import Run
from pipeline.stages.shares import Shares

# Of videos, in their order, the table of each and what else is to be noted of it.
TablesOf = Callable[[Iterable[str]], Iterator[tuple[pd.DataFrame, dict[str, str]]]]


def part_of(stage: Stage, video: str) -> Path:
    """The file of a video."""
    return stage.folder / maker(stage.name).part_of(video)


def videos_to_do(run: Run, left_out: LeftOut) -> list[str]:
    """The evaluation videos that have features. Raises UserError if there is none."""
    videos = run.features.available(run.dataset.video_ids(run.subsets[1]), left_out)
    if not videos:
        raise UserError(f"dataset.eval_subset {run.subsets[1]!r}: no video to propose for")
    return videos


def make_parts(
    run: Run, stage: Stage, work: Work, videos: Sequence[str], tables_of: TablesOf
) -> list[str]:
    """Write the files that are not current and that no other process makes; those that others are still to make.

    Waits until all are there, or this process's share is.
    """
    work.member.sign(total=len(videos))
    by, ledger = made_by(stage.fields), Ledger(stage.folder)
    missing: list[str] = distributed.from_main_process(
        lambda: [video for video in videos if not _is_current(stage, ledger, video, by)]
    )
    sizes = [run.features.shape(video)[0] for video in videos] if missing else []
    share = Shares(videos, sizes).of(run.shard) if missing else []
    wanted = set(missing)
    todo = Todo(work, [video for video in share if video in wanted])
    start = len(videos) - len(missing)
    with Progress(len(videos), maker(stage.name).name, unit="video", start=start) as bar:
        while todo.left and not todo.over:
            first = todo.free()
            if first is None:
                todo.wait()
            else:
                _make(stage, work, todo, chain([first], todo.free_ones()), tables_of, bar)
    work.look()
    return [video for video in missing if not work.is_done(video)]


@contextlib.contextmanager
def all_made(run: Run, stage: Stage, work: Work, coming: Sequence[str]) -> Iterator[Stage | bool]:
    """The stage to be finished, where this process is to do that; else whether its part is done (False: start again)."""
    over = distributed.any_rank(work.over)
    if not over and not stage.writes:
        yield True
    elif not over and coming:
        title = maker(stage.name).command
        say(
            f"{title}: shard {run.shard} is done; {len(coming)} videos of other shards are not done yet"
        )
        yield True
    elif over:
        yield is_finished(stage)
    else:
        with finishing(stage, work) as last:
            yield is_finished(stage) if last is None else last


def _make(
    stage: Stage,
    work: Work,
    todo: Todo,
    claims: Iterable[Claim],
    tables_of: TablesOf,
    bar: Progress,
) -> None:
    """Make what is free, one after the other as the network takes them; each is recorded when it is there."""
    by, of = made_by(stage.fields), stage.fields[VIDEOS]
    taken: deque[Claim] = deque()

    def videos() -> Iterator[str]:
        for claim in claims:
            taken.append(claim)
            yield claim.name

    for table, notes in tables_of(videos()):
        claim = taken.popleft()
        video = claim.name
        if claim.holds():
            write_table(part_of(stage, video), table)
            file = record_of(part_of(stage, video))
            made = Made(
                video=video, by=by, of=of[video], file=file, content=file.sha256, notes=notes
            )
            work.note(plain(made))
        else:  # this process was suspended, and another makes the video
            todo.back(video)
        work.claims.release(claim)
        bar.reach(todo.done)


def require_some(run: Run, title: str, what: str, hint: str, counts: Mapping[str, int]) -> None:
    """Report the videos in which nothing was found. Raises UserError if that is true of all: there would be no figures.

    `title`: the section of the head. `what` it finds. `hint`: the keys that may allow none.
    """
    without = [video for video, count in counts.items() if not count]
    if len(without) == len(counts):
        raise UserError(
            f"{title}: no {what} for any of {len(counts)} videos: the network learned nothing, or "
            f"{hint} allow none; see the loss in {run.path(title)}/history.json, and "
            f"train again with a higher {title}.min_steps or another {title}.base_lr (--force)"
        )
    if without:
        say(f"{title}: {len(without)} of {len(counts)} videos have no {what} ({named(without)})")


def _is_current(stage: Stage, ledger: Ledger, video: str, by: str) -> bool:
    of = stage.fields[VIDEOS][video]
    return is_current(part_of(stage, video), ledger.get(video), by, of, verify=stage.verify)
