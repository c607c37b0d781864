"""`failures.json`: the videos a stage could not use, why, and how many runs have tried."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import UserError, cannot_write
from pipeline.run_folder.manifests import write_json

FAILURES = "failures.json"
NOT_THERE = "no such file"


@dataclass(frozen=True)
class Failure:
    """Why a video could not be used, in how many runs, and whether results were made without it."""

    reason: str
    attempts: int
    left_out: bool = True


def read_failures(folder: Path) -> dict[str, Failure]:
    """The videos a stage's folder lists. Raises UserError where the list is damaged."""
    path = folder / FAILURES
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(row["video"]): Failure(
                str(row["reason"]), int(row.get("attempts", 1)), bool(row.get("left_out", True))
            )
            for row in rows
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: damaged ({error}); delete it") from error


def counted(reasons: Mapping[str, str], before: Mapping[str, Failure]) -> dict[str, Failure]:
    """This run's failures; each counts on from the runs before."""
    return {
        video: Failure(reason, 1 + (before[video].attempts if video in before else 0))
        for video, reason in reasons.items()
    }


def write_failures(folder: Path, stage: str, failures: Mapping[str, Failure]) -> None:
    """List the videos; where there is none, there is no list. Raises UserError."""
    path = folder / FAILURES
    if not failures:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        return
    rows = [
        {"video": video, "stage": stage} | asdict(failure)
        for video, failure in sorted(failures.items())
    ]
    write_json(path, rows)


def require_few(folder: Path, stage: str, reasons: Mapping[str, str], allowed: int) -> None:
    """Raise UserError where more videos failed than the user allowed."""
    if len(reasons) > allowed:
        shown = "; ".join(f"{video}: {reasons[video]}" for video in sorted(reasons)[:3])
        raise UserError(
            f"{stage}: {len(reasons)} videos failed ({shown}), all listed in {folder / FAILURES}; mend them "
            f"and run again, {how_to_go_on(len(reasons))}"
        )


def how_to_go_on(count: int) -> str:
    """What a user can do about videos that fail."""
    return f"or go on without with --allow-failures {count} or --skip FILE (their ids, one a line)"
