"""A run on imported features after a change: it shows what a run from scratch would, and trains only when asked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.imported import VIDEOS, make, options, tada

from truth.looking import TRAINED

RATE = ("--fps", 10, "--stride", 10)


class World:
    """Folders of features, how they are stated to be made, and a run on them."""

    def __init__(self, data: Path) -> None:
        self.data, self.run = make(data), data / "run"
        rng = np.random.default_rng(7)
        (data / "flow").mkdir()
        for video in VIDEOS:
            np.save(data / f"flow/{video}.npy", rng.normal(size=(20, 12)).astype(np.float32))
        self.sources, self.stated = ["features"], list(RATE)

    def take(self, run: Path | None = None):
        own = [argument for source in self.sources for argument in ("--from", self.data / source)]
        return self.do("import-features", *own, *self.stated, run=run)

    def do(self, command: str, *more: object, run: Path | None = None):
        return tada(command, *options(self.data), "--run-dir", run or self.run, *more)

    def edit(self, **entry: object) -> None:
        path = self.data / "annotations.json"
        content = json.loads(path.read_text())
        content["database"]["b"] |= entry
        path.write_text(json.dumps(content))


def _another_file(name):
    def apply(world: World) -> None:
        path = world.data / f"features/{name}.npy"
        np.save(path, np.load(path) + 1)

    return apply


def _state(*stated):
    return lambda world: world.stated.extend(stated)


def _sources(*sources):
    return lambda world: setattr(world, "sources", list(sources))


def _turned(world: World) -> None:
    for path in (world.data / "features").iterdir():
        np.save(path, np.load(path).T)
    world.stated.append("--channels-first")


def _packed(world: World) -> None:
    arrays = {path.stem: np.load(path) for path in (world.data / "features").iterdir()}
    np.savez(world.data / "all.npz", **arrays)
    world.sources = ["all.npz"]


CHANGES = {  # a change, and whether the network is trained on other things by it
    "offset": (_state("--offset-frames", 8), True),
    "offset at the middle": (_state("--offset-frames", 5), False),
    "another stride that fits": (
        lambda w: setattr(w, "stated", ["--fps", 20, "--stride", 20]),
        True,
    ),
    "rescaled": (lambda w: setattr(w, "stated", ["--rescaled", 20]), True),
    "joined": (_sources("features", "flow"), True),
    "of another folder": (_sources("flow"), True),
    "turned, and said so": (_turned, False),
    "in one file": (_packed, False),
    "a training video's": (_another_file("a"), True),
    "a validation video's": (_another_file("d"), False),
    "a length": (lambda w: w.edit(duration=20.5), True),
    "another length of a file": (lambda w: (w.data / "features/a.npy").touch(), False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_leads_to_what_a_run_from_scratch_shows(tmp_path, name):
    apply, other = CHANGES[name]
    world = World(tmp_path)
    for result in (world.take(), world.do("bmn")):
        assert result.exit_code == 0, result.output
    apply(world)
    result = world.take()
    assert result.exit_code == 0, result.output
    result = world.do("bmn")
    if other:
        assert result.exit_code == 1 and "--force" in result.output, result.output
        result = world.do("bmn", "--force")
    else:
        assert not TRAINED.search(result.output), result.output
    assert result.exit_code == 0, result.output
    scratch = tmp_path / "scratch"
    for result in (world.take(scratch), world.do("bmn", run=scratch)):
        assert result.exit_code == 0, result.output
    for file in ("bmn/proposals/proposals.csv", *(f"extract/features/{v}.h5" for v in VIDEOS)):
        assert (world.run / file).read_bytes() == (scratch / file).read_bytes(), file
    assert "nothing to do" in world.take().output
    status = tada("status", "--run-dir", world.run).output
    assert "stale" not in status and status.count("complete") == 3, status


def test_one_offset_and_another_are_not_mixed(tmp_path):
    """What a killed import left of another offset is taken again."""
    world = World(tmp_path)
    assert world.take().exit_code == 0
    kept = (world.run / "extract/features/a.h5").read_bytes()
    world.stated += ["--offset-frames", 8]
    assert world.take().exit_code == 0
    (world.run / "extract/features/a.h5").write_bytes(kept)
    assert "nothing to do" not in world.take().output
    assert (world.run / "extract/features/a.h5").read_bytes() != kept
