"""`failures.json`: the videos a stage could not use, why, and how many runs have tried."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, cannot_read
from pipeline.plain_files import read_json
from pipeline.run_folder.files import remove, write_json
from pipeline.run_folder.joined.journals import journal_lines

FAILURES = "failures.json"


@dataclass(frozen=True)
class Failure:
    """Why a video could not be used, in how many runs, and whether results were made without it.

    `of`: which file it was, by content; empty where there was none.
    """

    reason: str
    attempts: int
    left_out: bool = True
    of: str = ""


def read_failures(folder: Path) -> dict[str, Failure]:
    """The videos a stage's folder lists, and those that have failed where processes are at work.

    Raises UserError if the list is damaged.
    """
    return listed_failures(folder) | failures_at_work(journal_lines(folder))


def failures_at_work(lines: Iterable[Mapping[str, Any]]) -> dict[str, Failure]:
    """Those in journals of processes at work."""
    found: dict[str, Failure] = {}
    for line in lines:
        video = line.get("failed")
        if isinstance(video, str):
            with contextlib.suppress(KeyError, TypeError, ValueError):
                found[video] = failure_of(line)
    return found


def failure_of(row: Mapping[str, Any]) -> Failure:
    """A row of the list. Raises KeyError, TypeError or ValueError for what is none."""
    return Failure(
        str(row["reason"]),
        int(row.get("attempts", 1)),
        bool(row.get("left_out", True)),
        str(row.get("of", "")),
    )


def listed_failures(folder: Path) -> dict[str, Failure]:
    """The videos a stage's folder lists. Raises UserError if the list is damaged."""
    path = folder / FAILURES
    try:
        rows = read_json(path)
        return {str(row["video"]): failure_of(row) for row in rows}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: damaged ({error}); delete it") from error


def write_failures(folder: Path, stage: str, failures: Mapping[str, Failure]) -> None:
    """List the videos; where there is none, there is no list. Raises UserError."""
    path = folder / FAILURES
    if not failures:
        remove(path)
        return
    rows = [
        {"video": video, "stage": stage} | asdict(failure)
        for video, failure in sorted(failures.items())
    ]
    write_json(path, rows)
