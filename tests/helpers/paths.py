"""Where the repository lies, and how a process started by a test finds its code and these helpers."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def code_paths() -> dict[str, str]:
    """The environment in which a process of its own imports what the tests do."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
