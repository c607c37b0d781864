"""Segments beyond their videos' ends are refused before a stage reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.data.beyond import require_within
from pipeline.runs.run import Run

KINDS = ("training", "evaluation")
_READ = {
    "finetune": KINDS,
    "bmn": KINDS[:1],
    "actionformer": KINDS[:1],
    "eval": KINDS[1:],
    "eval-classifier": KINDS[1:],
}


def require_lengths(run: Run, names: Sequence[str], *, look: bool = True) -> list[str]:
    """What to say of segments beyond their videos' ends, of those these stages read. Raises UserError: too many.

    Without `look` only videos count that were looked at before.
    """
    subsets = {subset for name in names for subset in _READ.get(name, ())}
    chosen = [run.subsets[KINDS.index(kind)] for kind in KINDS if kind in subsets]
    rows = run.dataset.annotations
    if not chosen or of_whole_files(run):
        return []
    videos = rows["video"][rows["subset"].isin(chosen)].unique().tolist()
    measured = run.lengths(videos, look=look)
    return require_within(run.config.dataset, run.dataset, chosen, measured, run.skipped)


def of_whole_files(run: Run) -> bool:
    """Whether a segment is a whole file, as those of trimmed data sets are."""
    return math.inf in run.dataset.annotations["end"].to_numpy()
