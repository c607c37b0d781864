"""`--json FILE`: a report written where the user said."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pipeline.errors import cannot_write
from pipeline.run_folder.manifests import write_json


def write_report(path: Path, value: Any) -> None:
    """Write a JSON file where the user said, whatever is there.

    A device or a pipe (`/dev/stdout`) is written to, not replaced by a file; of a link, the file it
    points to is written anew. In the run folder neither is followed: nobody put one there on purpose.
    Raises UserError where it cannot be written.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")
            return
    except OSError as error:
        raise cannot_write(path, error) from error
    write_json(Path(os.path.realpath(path)), value)
