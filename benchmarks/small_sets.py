"""ActionFormer's soft-NMS of small sets: a class at a time in C++, and what picks do to the others made for many at once."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from actionformer import suppress
from benchmarks.measure import Form, Row, Work, absolute_difference, compare, skipped

STAGE = "soft-NMS of few"
SIGMA, LEAST, COUNT = 0.5, 0.001, 200
SETS = ((50, 20), (200, 20), (200, 1), (1000, 20), (1000, 200), (5000, 1))  # candidates, classes
SOURCE = Path(__file__).parent / "baselines" / "soft_nms.cpp"
Sets = tuple[np.ndarray, np.ndarray, np.ndarray]


def run(quick: bool) -> list[Row]:
    """Seconds per video; the kept segments and their scores are compared."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        compiled = _compiled(Path(folder))
        for count, classes in SETS[:1] if quick else SETS:
            work = Work(
                STAGE, f"{count} candidates of {classes} classes", absolute_difference, "or s"
            )
            name = "loops in C++, a class at a time"
            if compiled is None:
                rows.append(skipped(work, name, "factors of many picks at once", "no C++ compiler"))
                continue
            drawn = draw(count, classes)
            rows += compare(
                work,
                Form(name, _bound(in_turn, compiled, drawn)),
                [Form("factors of many picks at once", _bound(ours, None, drawn))],
                runs=1 if quick else 31,
            )
    return rows


def draw(count: int, classes: int) -> Sets:
    """Segments [n, 2] in positions, scores and classes [n] of a video of 200 positions."""
    rng = np.random.default_rng(0)
    middle, half = 200 * rng.random(count), rng.lognormal(1, 1, count)
    segments = np.stack([middle - half, middle + half], axis=1).astype(np.float32)
    return segments, (rng.random(count) ** 3).astype(np.float32), rng.integers(0, classes, count)


def ours(_: None, drawn: Sets) -> list[np.ndarray]:
    """The kept segments [m, 2] and scores [m], best first."""
    made = suppress(*drawn, sigma=SIGMA, min_score=LEAST, count=COUNT)
    return [made.segments.numpy(), made.scores.numpy()]


def in_turn(compiled: ctypes.CDLL, drawn: Sets) -> list[np.ndarray]:
    """The same, a class at a time, merged and cut."""
    segments, scores, labels = drawn
    index, kept = [], []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        own, values = np.ascontiguousarray(segments[rows]), np.ascontiguousarray(scores[rows])
        picks, after = np.empty(len(rows), np.int32), np.empty(len(rows), np.float32)
        pointers = (array.ctypes.data_as(ctypes.c_void_p) for array in (own, values, picks, after))
        sizes = (len(rows), ctypes.c_float(SIGMA), ctypes.c_float(LEAST))
        found = compiled.soft_nms(*pointers, *sizes)
        index.append(rows[picks[:found]])
        kept.append(after[:found])
    best = np.argsort(-np.concatenate(kept), kind="stable")[:COUNT]
    return [segments[np.concatenate(index)[best]], np.concatenate(kept)[best]]


def _bound(form: Callable[..., list[np.ndarray]], *given: object) -> Callable[[], list[np.ndarray]]:
    return lambda: form(*given)


def _compiled(folder: Path) -> ctypes.CDLL | None:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return None
    library = folder / "soft_nms.so"
    options = ["-O3", "-shared", "-fPIC", str(SOURCE), "-o", str(library)]
    subprocess.run([compiler, *options], check=True)
    return ctypes.CDLL(str(library))
