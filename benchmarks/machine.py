"""The machine a table was measured on."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import torch

# What torch's CPU kernels choose by, of everything /proc/cpuinfo lists.
KINDS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16")


@dataclass(frozen=True)
class Machine:
    """CPU, the cores this process may use, its vector and matrix instructions, memory, torch."""

    cpu: str
    cores: int
    flags: tuple[str, ...]
    memory: float
    torch: str


def this_machine() -> Machine:
    """Look at the machine; `flags` is empty and `memory` 0 where the system does not say."""
    info, memory = _read("/proc/cpuinfo"), _read("/proc/meminfo")
    name = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    listed = re.search(r"^flags\s*:\s*(.+)$", info, re.MULTILINE)
    total = re.search(r"^MemTotal:\s*(\d+)", memory, re.MULTILINE)
    flags = set(listed[1].split()) if listed else set()
    affinity = getattr(os, "sched_getaffinity", None)
    return Machine(
        cpu=name[1] if name else platform.processor() or platform.machine(),
        cores=len(affinity(0)) if affinity else os.cpu_count() or 1,
        flags=tuple(kind for kind in KINDS if kind in flags),
        memory=1024.0 * int(total[1]) if total else 0.0,
        torch=torch.__version__,
    )


def describe(machine: Machine) -> str:
    """One line."""
    flags = ", ".join(machine.flags) or "no AVX-512, no AMX listed"
    if machine.flags and "amx_bf16" not in machine.flags:
        flags += "; no AMX"
    return (
        f"{machine.cpu}, {machine.cores} cores ({flags}), {machine.memory / 2**30:.0f} GiB, "
        f"torch {machine.torch}, 1 thread"
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
