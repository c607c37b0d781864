"""Devices, precisions and saved tensors."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import UserError
from pipeline.ranks import ranks
from pipeline.run_folder.files import atomic_path

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
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
    """Leave a core to the reading workers of a training on the CPU.

    Threads of one computation wait for each other: with more of them than free cores, training is
    several times slower. OMP_NUM_THREADS is obeyed where it is set.
    """
    if device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        torch.set_num_threads(max(1, (cores or 1) - bool(workers)))


def save_state(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values atomically. Raises UserError where they cannot be written."""
    # In memory first: on a full disk torch's writer ends with an assertion that hides the reason.
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_state(path: Path) -> dict[str, Any]:
    """A file this loop or a stage saved, tensors and plain values only.

    Raises UserError where it is missing, damaged or holds code.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except Exception as error:  # torch.load raises many kinds for damaged files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{path}: not a usable checkpoint ({reason}); delete it to start again"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a checkpoint of tada-loc")
    return content
