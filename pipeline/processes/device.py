"""Devices and precisions, and how many cores work on the CPU takes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from pipeline.errors import UserError
from pipeline.ranks import ranks

_MOST_LANES = 8  # each has its own memory
_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """The autocast context of a precision; float32 is exact and has none."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


def pick_device(name: str) -> torch.device:
    """The device a configuration names; `auto` is the GPU if there is one, each process's its own.

    Raises UserError for a device that does not exist.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and ranks().size > 1:
        name = f"cuda:{ranks().local}"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # a device without memory of its own fails here, too
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"runtime.device {name!r} cannot be used ({reason}); try cpu") from error
    return device


def share_cores(device: torch.device, workers: int) -> None:
    """Leave a core to the data-loading workers of a training on the CPU.

    Threads of one computation wait for each other: with more of them than free cores, training is
    several times slower. OMP_NUM_THREADS is obeyed where it is set.
    """
    if device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, usable_cores() - bool(workers)))


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lanes_on(device: torch.device, wanted: int | None = None) -> int:
    """How many things are in a network at once, each on a thread of the CPU: `wanted`, or as many as torch has threads.

    No more than 8, and one on any other device.
    """
    lanes = torch.get_num_threads() if wanted is None else wanted
    return min(lanes, _MOST_LANES) if device.type == "cpu" else 1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """CPU work on one thread: with several, sums are taken in another order and the last digits differ.

    The same beside a GPU: threads that share single frames only wait for one another.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
