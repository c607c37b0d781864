"""The face of tada-loc for a notebook: load what was trained, find actions in videos, look at a run.

    import tada_loc
    detector = tada_loc.load("own.tada")
    found = detector("match.mp4", threshold=0.3)

The names are looked up when they are asked for: torch takes seconds to load, and reading a run needs none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.notebook.detections import Detections
    from pipeline.notebook.detector import Detector, load
    from pipeline.notebook.run import Run

    __version__: str

__all__ = ["Detections", "Detector", "Run", "__version__", "load"]

_HOMES = {
    "Detections": "pipeline.notebook.detections",
    "Detector": "pipeline.notebook.detector",
    "Run": "pipeline.notebook.run",
    "load": "pipeline.notebook.detector",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("tada-loc")
        except PackageNotFoundError:  # used from its folder
            return "unknown"
    if name not in _HOMES:
        raise AttributeError(
            f"module 'tada_loc' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    importlib.import_module("pipeline.errors").require_system()
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
