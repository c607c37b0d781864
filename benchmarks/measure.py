"""Time, memory and results of two forms of the same work, measured on equal terms.

Every form first runs to warm up, then to give its result and its peak memory. Then the baseline
and each of ours take turns in one process (A B C A B C ...), so that whatever else the machine does
hits all of them; the ratio is the median over the turns.
"""

from __future__ import annotations

import ctypes
import gc
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Clock = Callable[[], float]
STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Cost:
    """What the work cannot do without: floating-point operations, and bytes moved once.

    `precision` says which measured peak the operations are compared with; `seconds` is what a part
    that is not ours (the video decoder) was seen to take by itself.
    """

    operations: float
    bytes: float
    precision: str = "float32"
    seconds: float = 0.0


@dataclass(frozen=True)
class Form:
    """One way to do the work: what to call it, and a function that does it and gives its result.

    count: how many units (clips) a run does; its seconds are divided by it.
    once: so slow that one run has to give its result, its peak and its time.
    cost: what the work cannot do without, in this form's precision, a unit.
    """

    name: str
    run: Callable[[], Any]
    count: int = 1
    once: bool = False
    cost: Cost | None = None


@dataclass(frozen=True)
class Work:
    """What is compared: the stage, the work in words, how results are compared with each other.

    `difference(baseline's result, our result)` is in `unit`.
    """

    stage: str
    text: str
    difference: Callable[[Any, Any], float]
    unit: str


@dataclass(frozen=True)
class Row:
    """A line of the table. Seconds and peaks (bytes) are None if a form did not run.

    runs: turns of the baseline and of ours; difference: largest difference of the results, in `unit`;
    peaks: memory a run takes above what is resident when it begins; note: anything to know.
    """

    stage: str
    work: str
    baseline: str
    ours: str
    baseline_seconds: float | None = None
    our_seconds: float | None = None
    ratio: float | None = None
    runs: tuple[int, int] = (0, 0)
    difference: float | None = None
    unit: str = ""
    baseline_peak: float | None = None
    our_peak: float | None = None
    note: str = ""
    cost: Cost | None = None


def compare(
    work: Work,
    baseline: Form,
    ours: Sequence[Form],
    *,
    runs: int,
    clock: Clock = time.process_time,
    warm_up: bool = True,
) -> list[Row]:
    """Compare the baseline of some work with one or more of ours; one row each of ours.

    runs: turns of the forms that are not `once`. With the default clock the seconds are CPU seconds
    of all threads of the process.
    warm_up: run every form once before its peak is measured. Runs of hundreds of megabytes can do
    without: what is loaded on first use is nothing beside that, and this run is not timed.
    """
    forms = [baseline, *ours]
    gaps, peaks, times = _first_runs(work, forms, clock, warm_up)
    for _ in range(runs):
        for taken, form in zip(times, forms, strict=True):
            if not form.once:
                taken.append(timed(form.run, clock) / form.count)
    return [
        Row(
            *(work.stage, work.text, baseline.name, form.name),
            baseline_seconds=statistics.median(times[0]),
            our_seconds=statistics.median(taken),
            ratio=_median_ratio(times[0], taken),
            runs=(len(times[0]), len(taken)),
            difference=gap,
            unit=work.unit,
            baseline_peak=peaks[0],
            our_peak=peak,
            cost=form.cost,
        )
        for form, taken, gap, peak in zip(ours, times[1:], gaps[1:], peaks[1:], strict=True)
    ]


def _first_runs(
    work: Work, forms: Sequence[Form], clock: Clock, warm_up: bool
) -> tuple[list[float], list[float | None], list[list[float]]]:
    """Of each form, baseline first: difference to the baseline, peak, and seconds if that is its only run."""
    expected: Any = None
    gaps, peaks, times = [], [], []
    for number, form in enumerate(forms):
        if warm_up and not form.once:
            form.run()
        result, peak, spent = measured_run(form.run, clock)
        if number == 0:
            expected = result
        gaps.append(work.difference(expected, result))
        peaks.append(peak)
        times.append([spent / form.count] if form.once else [])
    return gaps, peaks, times


def skipped(work: Work, baseline: str, ours: str, reason: str) -> Row:
    """The row of a form that cannot run here, and why."""
    return Row(work.stage, work.text, baseline, ours, note=f"skipped: {reason}")


def timed(run: Callable[[], Any], clock: Clock) -> float:
    """Seconds a run takes; letting go of its result is not counted."""
    begin = clock()
    result = run()
    spent = clock() - begin
    del result
    return spent


def measured_run(run: Callable[[], Any], clock: Clock) -> tuple[Any, float | None, float]:
    """Run once: (result, peak memory in bytes above the start, seconds).

    The kernel keeps the highest resident size; it is set back before the run, after the heap's
    free memory was handed back, so that what a run takes shows. None if the system has no such
    counter (it is Linux's).
    """
    gc.collect()
    before = _reset_peak()
    begin = clock()
    result = run()
    spent = clock() - begin
    peak = None if before is None else max(0.0, _status("VmHWM") - before)
    return result, peak, spent


def relative_difference(expected: Any, found: Any) -> float:
    """Largest difference of two tensors or arrays, over the largest value; of several, the worst."""
    return max(
        float(abs(one - other).max()) / max(float(abs(one).max()), 1e-30)
        for one, other in _pairs(expected, found)
    )


def absolute_difference(expected: Any, found: Any) -> float:
    """Largest difference of two tensors or arrays, or of sequences of them."""
    return max(float(abs(one - other).max()) for one, other in _pairs(expected, found))


def _pairs(expected: Any, found: Any) -> list[tuple[Any, Any]]:
    if not isinstance(expected, (tuple, list)):
        expected, found = [expected], [found]
    pairs = []
    for one, other in zip(expected, found, strict=True):
        if tuple(one.shape) != tuple(other.shape):
            raise ValueError(f"results of shapes {tuple(one.shape)} and {tuple(other.shape)}")
        pairs.append((one, other))
    return pairs


def _median_ratio(baseline: list[float], ours: list[float]) -> float:
    """Median over the turns; a form that ran once is the partner of all of the other's turns."""
    turns = max(len(baseline), len(ours))
    baseline, ours = (times * turns if len(times) == 1 else times for times in (baseline, ours))
    return statistics.median(a / b for a, b in zip(baseline, ours, strict=True))


def _reset_peak() -> float | None:
    """Hand free memory back, set the peak to the resident size and give that, in bytes."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        RESET.write_text("5")
    except (OSError, AttributeError):
        return None
    return _status("VmRSS")


def _status(key: str) -> float:
    found = re.search(rf"^{key}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    return 1024.0 * int(found[1]) if found else 0.0
