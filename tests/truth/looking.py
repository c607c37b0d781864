"""What is seen of a run: its files, what `status` says, what an error advises, what differs from another."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from truth.world import World

FOLDERS = {
    "finetune": "finetune",
    "extract": "extract",
    "bmn": "bmn",
    "proposals": "bmn/proposals",
    "classify": "classify",
    "eval": "eval",
}
STAGES = tuple(FOLDERS)
TRAININGS = ("finetune", "bmn")
# What says how results were made, and is no result.
ASIDE = {"manifest.json", "videos.jsonl", "history.json", "failures.json", "config.yaml", ".lock"}
TABLES = ("bmn/proposals/proposals.csv", "classify/detections.csv", "eval/results.json")
PER_VIDEO = ("extract/features", "bmn/proposals/videos", "classify/videos")
MODELS = ("finetune/model.pt", "bmn/model.pt")
ADVICE = re.compile(r"`tada-loc ([a-z][^`]*)`")
TRAINED = re.compile(r"^(finetune|bmn): epoch \d", re.MULTILINE)


class Seen(NamedTuple):
    """A file: which one, when it was written, and its content."""

    inode: int
    mtime: int
    content: str


Files = dict[str, Seen]  # by the path in the run folder


def files_of(run: Path) -> Files:
    """The results in a run folder."""
    found = {}
    for folder in FOLDERS.values():
        for path in sorted((run / folder).rglob("*")):
            if (path.is_dir() and not path.is_symlink()) or path.name in ASIDE:
                continue
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                seen = Seen(status.st_ino, status.st_mtime_ns, _content(path))
                found[str(path.relative_to(run))] = seen
    return found


def stage_of(file: str) -> str:
    """The stage a file of the run folder belongs to."""
    return max(
        (s for s in STAGES if file.startswith(FOLDERS[s] + "/")), key=lambda s: len(FOLDERS[s])
    )


def written(before: Files, after: Files) -> set[str]:
    """The files that are new or were written again."""
    return {name for name, seen in after.items() if before.get(name) != seen}


def stages_of(files: Iterable[str]) -> set[str]:
    return {stage_of(file) for file in files}


def models(run: Path) -> dict[str, str]:
    """The content of every network's weights below a run folder, those moved aside among them."""
    return {str(path): _content(path) for path in run.rglob("model.pt") if path.is_file()}


def same_weights(a: Path, b: Path) -> bool:
    """Whether two runs have the same trained networks, whatever else their files hold."""
    for name in MODELS:
        one, two = (torch.load(run / name, weights_only=True)["model"] for run in (a, b))
        if one.keys() != two.keys() or any(not torch.equal(one[k], two[k]) for k in one):
            return False
    return True


def differences(run: Path, scratch: Path, more: Iterable[str] = ()) -> list[str]:
    """What of a run is not as from scratch. Files of videos that have no part in it any more may stay."""
    names = [*TABLES, *more]
    for folder in PER_VIDEO:
        names += sorted(f"{folder}/{path.name}" for path in (scratch / folder).glob("*"))
    wrong = []
    for name in names:
        if not (run / name).is_file():
            wrong.append(f"{name} is not there")
        elif (run / name).read_bytes() != (scratch / name).read_bytes():
            wrong.append(f"{name} differs")
    return wrong


@dataclass(frozen=True)
class Said:
    """What `status` says of a stage."""

    state: str
    why: str
    videos: frozenset[str] = frozenset()


def status(world: World, file: Path | None = None) -> dict[str, Said]:
    """What `status` and `status --json` say, by stage; both have to say the same."""
    file = file or world.root / "status.json"
    file.unlink(missing_ok=True)
    table = world.do("status")
    assert table.exit_code == 0 and "unexpected" not in table.output, table.output
    result = world.do("status", "--json", str(file))
    assert result.exit_code == 0, result.output
    said = {}
    for row in json.loads(file.read_text())["stages"]:
        name = next((n for n, folder in FOLDERS.items() if row["stage"] in (n, folder)), None)
        if name is None:
            continue
        videos = row.get("videos") or {}
        names = frozenset([*videos.get("missing", ()), *videos.get("stale", ())])
        said[name] = Said(row["state"], row.get("why") or "", names)
        line = next(x for x in table.output.splitlines() if re.match(rf"{FOLDERS[name]}\s", x))
        assert said[name].state in line, f"--json says {said[name]}, the table says {line}"
    assert set(said) == set(STAGES), said
    return said


def error_of(result: Any) -> str:
    """The one line that a refused command ends with."""
    assert result.exit_code in {1, 2}, result.output
    assert "Traceback" not in result.output and "unexpected" not in result.output, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("Error")]
    assert len(lines) == 1, result.output
    return lines[0]


def follow(world: World, command: tuple[str, ...], line: str) -> None:
    """Do what an error advises, on a copy; the command must not come round to the same error."""
    for advice in _advised(line):
        with world.on_a_copy():
            _follow(world, command, line, advice, (line,))


def follow_status(world: World, said: dict[str, Said]) -> None:
    """Do what `status` advises, on a copy; it must not say the same of that stage again."""
    for stage, was in said.items():
        for advice in _advised(was.why):
            with world.on_a_copy():
                result = world.do(*shlex.split(advice))
                now = status(world)[stage]
                assert now != was, f"status: {was.why}\nafter it: {result.output}"


def _follow(
    world: World, command: tuple[str, ...], line: str, advice: str, before: tuple[str, ...]
) -> None:
    assert len(before) <= 4, "no end of advice:\n" + "\n".join(before)
    first = world.do(*shlex.split(advice))
    result = world.do(*command)
    if result.exit_code == 0:
        return
    error = error_of(result)
    assert error not in before, (
        f"{line}\n`tada-loc {advice}` leads back to it:\n{first.output[-2000:]}"
    )
    for further in _advised(error)[:1]:
        _follow(world, command, error, further, (*before, error))


def _advised(text: str) -> list[str]:
    """The commands a text advises, those with a place to fill in left out."""
    found = dict.fromkeys(ADVICE.findall(text))
    return [advice for advice in found if not re.search(r"\b[A-Z][A-Z]+\b|\.\.\.", advice)]


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
