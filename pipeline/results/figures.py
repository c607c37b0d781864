"""`results.json`: the figures of `eval` and `eval-classifier`, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, cannot_read

RESULTS = "results.json"


def read_results(path: Path, command: str) -> dict[str, Any]:
    """The figures a command wrote. Raises UserError where they are gone or damaged."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content["tasks"], dict):
            raise ValueError("unknown form")
        return content
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            raise cannot_read(path, error) from error
        raise UserError(
            f"{path}: no such file; run `tada-loc {command}`, which makes it"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: cannot be used ({reason}); delete it and run `tada-loc {command}`, which makes it again"
        ) from error
