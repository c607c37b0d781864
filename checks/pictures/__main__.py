"""Make the pictures of docs/pictures, all or those named. Look at them before a change of the look lands.

`python -m checks.pictures [NAME...] [--run DIR] [--to FOLDER]`: NAME is one of the table's, `--run` a finished demo. What
needs something that is not there stays as it is, a line says what is missing, and the exit code is then 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from checks.pictures.table import SCRIPTS
from pipeline.errors import UserError

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
DEMO = Path("runs/demo/tada2d")


def main(arguments: Sequence[str]) -> int:
    """Make what is asked for; gives the exit code."""
    names = [script.name for script in SCRIPTS]
    parser = argparse.ArgumentParser(
        "checks.pictures", description="Make the pictures of the documents."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all unless given"
    )
    parser.add_argument(
        "--run", type=Path, default=DEMO, help=f"a finished demo, {DEMO} unless given"
    )
    parser.add_argument("--to", type=Path, default=PICTURES, help="the folder they go to, docs/pictures unless given")  # fmt: skip
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.names if name not in names]:
        parser.error(f"no picture {', '.join(unknown)}; there are {', '.join(names)}")
    asked.to.mkdir(parents=True, exist_ok=True)
    lacking = False
    for script in SCRIPTS:
        if asked.names and script.name not in asked.names:
            continue
        if (lack := script.lacks(asked.run)) is not None:
            lacking = True
            print(f"checks.pictures: {script.name}: {lack}")
            continue
        try:
            script.make(asked.to, asked.run)
        except UserError as error:
            lacking = True
            print(f"checks.pictures: {script.name}: {error}")
            continue
        for file in script.files:
            print(f"checks.pictures: {asked.to / file}, {(asked.to / file).stat().st_size} bytes")
    return 2 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
