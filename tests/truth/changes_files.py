"""Changes of the files of a finished run folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from truth import footage
from truth.change import Change
from truth.world import T0, V0, World, copy, remove

Act = Callable[[World, str], object]

# Files, and what is to be done again where one is gone: the stage, and the video where it is one's.
RESULTS = {
    f"extract/features/{T0}.h5": ("extract", T0),
    f"extract/features/{V0}.h5": ("extract", V0),
    f"bmn/proposals/videos/{V0}.csv": ("proposals", V0),
    "bmn/proposals/proposals.csv": ("proposals", ""),
    f"classify/videos/{V0}.npz": ("classify", V0),
    "classify/detections.csv": ("classify", ""),
    "eval/results.json": ("eval", ""),
}
MODELS = {"finetune/model.pt": "finetune", "bmn/model.pt": "bmn"}
# Files without which nothing is lost.
NOTES = (
    "config.yaml",
    ".lock",
    "sources.json",
    "lengths.json",
    "finetune/history.json",
    "finetune/classes.json",
    "finetune/metrics.csv",
    "bmn/history.json",
    "bmn/metrics.csv",
    "report/index.html",
    f"bmn/proposals/maps/{V0}.npz",
    "bmn/proposals/maps/videos.jsonl",
)
RECORDS = {  # what says how results were made: the stage may be done again
    "extract/manifest.json": "extract",
    "extract/videos.jsonl": "extract",
    "bmn/proposals/manifest.json": "proposals",
    "bmn/proposals/videos.jsonl": "proposals",
    "classify/manifest.json": "classify",
    "classify/videos.jsonl": "classify",
    "eval/manifest.json": "eval",
}
OF_TRAINING = ("finetune/manifest.json", "bmn/manifest.json")


def _on_path(act: Callable[[Path], object]) -> Act:
    return lambda world, name: act(world.run / name)


def _of_another(world: World, name: str) -> None:
    remove(world.run / name)
    copy(world.template("other") / "run" / name, world.run / name)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _bit_unseen(world: World, name: str) -> None:
    footage.flip_bit(world.run / name, keep_time=True)
    world.of_run.append("--verify")


def _garbage_line(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "{garbage\n", *lines[1:]]))


def _edited(path: Path) -> None:
    """Another digest stands in it, in a file that is whole."""
    text = path.read_text()
    at = text.index('": "', text.index("fingerprint" if "fingerprint" in text else "sha256")) + 4
    path.write_text(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :])


A_FOLDER = "a folder"
HARMLESS: dict[str, Act] = {
    "touched": _on_path(footage.touch),
    "linked": _on_path(footage.link),
}
DAMAGE: dict[str, Act] = {
    "cut to half": _on_path(footage.cut),
    "with a bit changed": _on_path(footage.flip_bit),
    "emptied": _on_path(lambda path: path.write_bytes(b"")),
    "of another run": _of_another,
    A_FOLDER: _on_path(_folder),
}
DELETED: Act = _on_path(lambda path: path.unlink())
RECORD_DAMAGE: dict[str, Act] = {
    "deleted": DELETED,
    "cut to half": DAMAGE["cut to half"],
    "emptied": DAMAGE["emptied"],
    "of another run": _of_another,
    A_FOLDER: DAMAGE[A_FOLDER],
}
FOLDERS = {
    "finetune": ("finetune",),
    "extract": ("extract",),
    "bmn": ("bmn", "proposals"),
    "bmn/proposals": ("proposals",),
    "classify": ("classify",),
    "eval": ("eval",),
}


def _bound(act: Act, name: str) -> Callable[[World], object]:
    return lambda world: act(world, name)


def _file(what: str, act: Act, name: str, **more: object) -> Change:
    if what == A_FOLDER:  # it may be refused, for it may hold what the user put there
        more = {"outcome": "safe", "may": more.get("first", more.get("may", ()))}
    return Change(f"{name} {what}", _bound(act, name), on_run=True, **more)  # type: ignore[arg-type]


def _note(name: str) -> Act:
    return lambda world, folder: (world.run / folder / name).write_text("mine")


def _jobs(world: World) -> None:
    """What `tada-loc submit` leaves: a record, and logs a stage."""
    (world.run / "jobs/extract").mkdir(parents=True)
    (world.run / "jobs/jobs.json").write_text("[]")
    (world.run / "jobs/extract/1_0_log.err").write_text("Error: stopped by SIGTERM")


def _note_and_seed(stage: str) -> Callable[[World], object]:
    def apply(world: World) -> None:
        for name in ("notes.txt", "notes.tmp"):
            _note(name)(world, stage)
        world.settings[f"{stage}.seed"] = "2"

    return apply


def _checkpoint(world: World, folder: str) -> None:
    shutil.copy(
        world.template("other") / "run" / folder / "model.pt", world.run / folder / "checkpoint.pt"
    )


def _results() -> list[Change]:
    found = []
    for name, (stage, video) in RESULTS.items():
        more = {"first": (stage,), "videos": (video,) if video else ()}
        acts = {**DAMAGE, "deleted": DELETED, "with a bit changed unseen": _bit_unseen}
        found += [
            _file(what, act, name, says=(video or Path(name).name,), **more)
            for what, act in acts.items()
        ]
        found += [_file(what, act, name, videos=()) for what, act in HARMLESS.items()]
    return found


def _trainings() -> list[Change]:
    found = []
    for name, stage in MODELS.items():
        acts = {**DAMAGE, "with a bit changed unseen": _bit_unseen}
        found.append(_file("deleted", DELETED, name, outcome="trains", first=(stage,)))
        found += [
            _file(what, act, name, outcome="stops", first=(stage,), says=("model.pt",))
            for what, act in acts.items()
        ]
        found += [_file(what, act, name, videos=()) for what, act in HARMLESS.items()]
    for name in OF_TRAINING:
        found += [
            _file(what, act, name, outcome="safe", may=("finetune", "bmn", "proposals"))
            for what, act in {**RECORD_DAMAGE, "edited": _on_path(_edited)}.items()
        ]
    for folder in ("finetune", "bmn"):
        found.append(_file("given a checkpoint of another run", _checkpoint, folder, videos=()))
    return found


def _notes() -> list[Change]:
    found = []
    for name in NOTES:
        acts = {**DAMAGE, "deleted": DELETED}
        if name == ".lock":
            acts.pop(A_FOLDER)
        if name == "config.yaml":
            acts.pop(A_FOLDER)
        found += [_file(what, act, name, videos=()) for what, act in acts.items()]
    for name, stage in RECORDS.items():
        acts = {**RECORD_DAMAGE, "edited": _on_path(_edited)}
        if name.endswith("videos.jsonl"):
            acts["with a line of garbage"] = _on_path(_garbage_line)
        found += [_file(what, act, name, may=(stage,)) for what, act in acts.items()]
    for folder in FOLDERS:
        for name in ("notes.txt", "notes.tmp"):
            found.append(_file(f"given {name}", _note(name), folder, videos=()))
    found.append(Change("given logs of jobs", _jobs, videos=(), on_run=True))
    for stage in ("finetune", "bmn"):
        found.append(
            Change(
                f"{stage} given notes, and another seed",
                _note_and_seed(stage),
                "stops",
                first=(stage,),
                says=(f"{stage}.seed",),
            )
        )
    return found


def _folders() -> list[Change]:
    found = []
    for folder, stages in FOLDERS.items():
        trained = folder in {"finetune", "bmn"}
        gone = "trains" if trained else "same"
        found.append(_file("deleted", _on_path(shutil.rmtree), folder, outcome=gone, first=stages))
        found.append(
            _file(
                "renamed",
                lambda world, name: os.rename(world.run / name, world.run / f"{name}.mine"),
                folder,
                outcome="safe" if trained else "same",
                first=stages,
            )
        )
        found.append(
            _file(
                "of another run",
                _of_another,
                folder,
                outcome="stops" if trained else "same",
                first=stages[:1],
                may=stages,
            )
        )
    return found


CHANGES = [*_results(), *_trainings(), *_notes(), *_folders()]
