"""What one thread of this machine can do: the peaks that lower bounds of time are made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.measure import Row

SIDE = 2048  # of the square matrices: large enough for their product to be all arithmetic
BUFFER = 2**26  # floats; several times any cache


def measured_peaks(quick: bool = False) -> dict[str, float]:
    """Operations per second of matrix products ("float32", "bfloat16"), and "bytes" copied per second.

    The best of several tries: a peak is what the machine can do undisturbed.
    """
    side, size, tries = (256, 2**20, 2) if quick else (SIDE, BUFFER, 5)
    peaks = {
        name: matmul_rate(getattr(torch, name), side, tries) for name in ("float32", "bfloat16")
    }
    return peaks | {"bytes": copy_rate(size, tries)}


def matmul_rate(dtype: torch.dtype, side: int, tries: int, device: str = "cpu") -> float:
    """Operations per second of a product of two square matrices."""
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    output = torch.empty_like(one)
    best = min(_spent(lambda: torch.mm(one, other, out=output), device) for _ in range(tries))
    return 2.0 * side**3 / best


def copy_rate(size: int, tries: int, device: str = "cpu") -> float:
    """Bytes per second read and written by a copy of `size` floats."""
    source = torch.ones(size, device=device)
    target = torch.empty_like(source)
    best = min(_spent(lambda: target.copy_(source), device) for _ in range(tries))
    return 8.0 * size / best


def lower_bound_seconds(row: Row, peaks: dict[str, float]) -> float | None:
    """The least time a row's work can take here: operations or bytes at the peak, or a part's own."""
    cost = row.cost
    if cost is None:
        return None
    return max(cost.operations / peaks[cost.precision], cost.bytes / peaks["bytes"], cost.seconds)


def _spent(run: Callable[[], Any], device: str) -> float:
    if device == "cpu":
        begin = time.process_time()
        run()
        return time.process_time() - begin
    torch.cuda.synchronize()
    begin = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - begin
