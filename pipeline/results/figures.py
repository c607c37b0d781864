"""`results.json`: the figures of `eval` and `eval-classifier`, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.plain_files import read_json

RESULTS = "results.json"


def read_results(path: Path, command: str) -> dict[str, Any]:
    """The figures a command wrote. Raises UserError where they are gone or damaged."""
    try:
        content: dict[str, Any] = read_json(path)
        if not isinstance(content["tasks"], dict):
            raise ValueError("unknown form")
        return content
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: cannot be used ({reason}); delete it and run `tada-loc {command}`, which makes it again"
        ) from error
