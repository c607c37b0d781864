"""A finished run of ActionFormer after a change: it shows what a run from scratch would, and trains only when asked."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from helpers import separable
from helpers.former_runs import FORMER
from helpers.small_runs import error_line

TRAINED = re.compile(r"^(actionformer|bmn|finetune): epoch \d", re.MULTILINE)


@dataclass
class World:
    """Annotations, features and settings of a run, any of which a change may touch."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def run(self) -> Path:
        return self.data.parent / "run"

    def do(self, command: str, *more: str, run: Path | None = None):
        given = [
            f"{key}={value.replace('DATA', str(self.data))}" for key, value in self.settings.items()
        ]
        words = separable.options(self.data, run or self.run, *FORMER, *given)
        return separable.tada(command, *words, *more)

    def take(self, run: Path | None = None) -> None:
        source = ["--from", str(self.data / "features"), "--fps", "10", "--stride", "10"]
        result = self.do("import-features", *source, run=run)
        assert result.exit_code == 0, result.output

    def edit(self, change) -> None:
        path = self.data / "annotations.json"
        content = json.loads(path.read_text())
        change(content["database"])
        path.write_text(json.dumps(content))

    def results(self, run: Path | None = None) -> dict[str, bytes]:
        """Tables and what was kept of each video, of the head in use."""
        run = run or self.run
        head = self.settings.get("detector.name", "actionformer")
        found = [
            *run.glob(f"{head}/*/*.csv"),
            *run.glob(f"{head}/*/videos/*"),
            *run.glob("classify/*.csv"),
        ]
        found += [run / "eval/results.json", *run.glob("extract/features/*.h5")]
        return {str(path.relative_to(run)): path.read_bytes() for path in found}


def _set(**settings: str):
    return lambda world: world.settings.update(
        {k.replace("__", "."): v for k, v in settings.items()}
    )


def _edit(change):
    return lambda world: world.edit(change)


def _features(video: str):
    def apply(world: World) -> None:
        path = world.data / f"features/{video}.npy"
        np.save(path, np.load(path)[::-1])

    return apply


def _label(video: str):
    return _edit(lambda database: database[video]["annotations"][0].update(label="swim"))


def _new_video(world: World) -> None:
    world.edit(lambda database: database.update(new=database["v1"]))
    shutil.copy(world.data / "features/t4.npy", world.data / "features/new.npy")


# A change, and whether the network is trained on other things by it.
CHANGES = {
    "a validation label": (_label("v0"), False),
    "a training label": (_label("t0"), True),
    "a validation time": (_edit(lambda d: d["v1"]["annotations"][1].update(segment=[9.0, 14.5])), False),
    "a new validation video": (_new_video, False),
    "a validation video less": (_edit(lambda d: d.pop("v2")), False),
    "features of a validation video": (_features("v1"), False),
    "features of a training video": (_features("t1"), True),
    "detections.sigma": (_set(detections__sigma="0.2"), False),
    "eval.iou": (_set(eval__iou="[0.3]"), False),
    "actionformer.seed": (_set(actionformer__seed="5"), True),
    "classes from elsewhere": (
        _set(actionformer__classes="none", classify__scores="DATA/scores.json"), True,
    ),
    "the other head": (_set(detector__name="bmn", classify__scores="DATA/scores.json"), None),
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("former")
    world = World(separable.make_data(root / "data"))
    separable.write_scores(world.data)
    world.take()
    result = world.do("run")
    assert result.exit_code == 0, result.output
    return world


@pytest.fixture
def world(finished, tmp_path):
    shutil.copytree(finished.data.parent, tmp_path, dirs_exist_ok=True)
    return World(tmp_path / "data")


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_leads_to_what_a_run_from_scratch_shows(world, name):
    apply, other = CHANGES[name]
    before, former = world.results(), (world.run / "actionformer/model.pt").read_bytes()
    apply(world)
    world.take()
    assert re.search("stale|missing|partial", world.do("status").output)
    result = world.do("run")
    if other:
        line = error_line(result)
        assert "--force" in line and "actionformer/model.pt" in line
        assert (world.run / "actionformer/model.pt").read_bytes() == former
        result = world.do("run", "--force")
    elif other is False:
        assert not TRAINED.search(result.output), result.output
    assert result.exit_code == 0, result.output
    scratch = world.data.parent / "scratch"
    world.take(scratch)
    result = world.do("run", run=scratch)
    assert result.exit_code == 0, result.output
    now, wanted = world.results(), world.results(scratch)
    assert [file for file in wanted if now.get(file) != wanted[file]] == []
    assert "stale" not in (said := world.do("status").output) and "missing" not in said, said
    assert "complete, nothing to do" in world.do("run").output
    _comes_back(world, before, former)


def _comes_back(world: World, before: dict[str, bytes], former: bytes) -> None:
    """With the change undone nothing is trained, and all is as it was."""
    made = world.data.parent
    shutil.rmtree(world.data)
    separable.make_data(world.data)
    separable.write_scores(world.data)
    world.settings.clear()
    world.take()
    result = world.do("run")
    assert result.exit_code == 0 and not TRAINED.search(result.output), result.output
    assert (made / "run/actionformer/model.pt").read_bytes() == former
    now = world.results()
    assert [file for file in before if now.get(file) != before[file]] == []
