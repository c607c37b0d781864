"""THE table of docs/pictures: which files each script makes, and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from checks.browser import find_chromium
from checks.pictures.explained import take_picture
from checks.pictures.of_run import shown_of
from checks.pictures.pages import SIZES, take_pictures
from checks.pictures.way import FRAMES, SCHEMES, draw_way
from pipeline.run_folder.manifests import readable_manifest
from pipeline.runs.run import run_of
from pipeline.tools.plots import plot_run

VIDEO = "validation_004"  # of the demo
NEEDS = {
    "chromium": "no chromium found; install it, for example: apt-get install chromium",
    "demo": "no finished demo in {run}; `make demo` makes it in some minutes, --run names another one",
}


@dataclass(frozen=True)
class Script:
    """What makes the files of one name, given the folder they go to and a finished demo."""

    name: str
    files: tuple[str, ...]
    needs: Literal["chromium", "demo"]
    make: Callable[[Path, Path], None]

    def lacks(self, run: Path) -> str | None:
        """What is said where it cannot be made; None where it can."""
        if self.needs == "chromium":
            there = find_chromium() is not None
        else:
            manifest = readable_manifest(run / "eval")
            there = manifest is not None and manifest.complete
        return None if there else NEEDS[self.needs].format(run=run)


def _pages(folder: Path, run: Path) -> None:
    executable = find_chromium()
    assert executable is not None
    take_pictures(folder, executable)


def _demo(folder: Path, run: Path) -> None:
    (folder / "demo.png").write_bytes(plot_run(run_of(run)).read_bytes())


def _pipeline(folder: Path, run: Path, video: str = VIDEO) -> None:
    shown = shown_of(run_of(run), video, FRAMES)
    for name, scheme in SCHEMES.items():
        (folder / f"pipeline-{name}.png").write_bytes(draw_way(shown, scheme))


def _explain(folder: Path, run: Path) -> None:
    (folder / "explain.png").write_bytes(take_picture(run))


SCRIPTS = (
    Script("demo", ("demo.png",), "demo", _demo),
    Script("pipeline", tuple(f"pipeline-{name}.png" for name in SCHEMES), "demo", _pipeline),
    Script("explain", ("explain.png",), "demo", _explain),
    Script(
        "pages",
        tuple(f"{page}-{size[0]}.png" for page in ("timeline", "report") for size in SIZES),
        "chromium",
        _pages,
    ),
)
