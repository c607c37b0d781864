"""Every network through the pipeline, by changing one value of the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from feature_extraction.backbones import BACKBONES
from feature_extraction.tadaconv.aggregation import mixed_over_time
from pipeline.cli.commands import main
from pipeline.cli.tool_commands import BACKBONE_NAMES
from pipeline.configuration.reading import find_config, load_config, parse_overrides
from pipeline.demo.dataset import make_dataset
from pipeline.errors import UsageError
from pipeline.training.networks.classifier import new_classifier

SMALL = [
    "backbone.depth=[1,1,1,1]", "backbone.width=4", "finetune.epochs=1", "finetune.warmup_epochs=0",
    "finetune.batch_size=4", "finetune.crop=32", "finetune.short_side=[32,36]",
    "finetune.eval_short_side=32", "extract.short_side=32", "bmn.epochs=2", "bmn.batch_size=2",
    "bmn.hidden_1d=8", "bmn.hidden_2d=8", "bmn.hidden_3d=8", "bmn.num_samples=4",
    "bmn.temporal_scale=40", "bmn.duration_scale=20", "bmn.window_step=20",
]  # fmt: skip
# SlowFast's clip: more frames, closer together, over the same time.
FRAMES = ["finetune.frames=16", "finetune.interval=2", "extract.frames=16", "extract.interval=2"]


def tada(stage: str, data: Path, run: Path, name: str, *extra: str):
    arguments = [stage, "--config", "demo", "--run-dir", str(run)]
    own = ["runtime.device=cpu", "runtime.workers=0", f"dataset.videos={data / 'videos'}"]
    own.append(f"dataset.annotations={data / 'annotations.csv'}")
    frames = FRAMES if "slowfast" in name else []
    for assignment in [*own, *SMALL, *frames, f"backbone.name={name}", *extra]:
        arguments += ["--set", assignment]
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def make(folder: Path, train: int, seconds: float) -> Path:
    make_dataset(folder, train_videos=train, val_videos=1, seconds=seconds, workers=1)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make(tmp_path_factory.mktemp("data"), 2, 8.0)


@pytest.mark.parametrize("name", BACKBONES)
def test_finetune_and_extract(data, tmp_path, name):
    result = tada("finetune", data, tmp_path, name)
    assert result.exit_code == 0, result.output
    slow = {"slowfast_4x16": 2, "slowfast_8x8": 4}.get(name.removesuffix("_tada"))
    said = f"the slow pathway sees {slow} of a clip's 16 frames"
    assert (said in result.output) == (slow is not None)
    result = tada("extract", data, tmp_path, name)
    assert result.exit_code == 0, result.output
    paths = sorted((tmp_path / "extract/features").iterdir())
    assert len(paths) == 3
    for path in paths:
        with h5py.File(path) as file:
            features = file["features"][:]
            assert features.shape[1] == 4 * 32 + (32 if "slowfast" in name else 0)
            assert np.isfinite(features).all() and features.std() > 0
            assert file.attrs["backbone"] == name


# One of each family, without and with TAdaConv; all five stages on a small drawn dataset.
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "slowonly_8x8",
        "slowonly_8x8_tada",
        "slowfast_4x16",
        "slowfast_8x8_tada",
        "r2plus1d",
        "r2plus1d_tada_2d1d",
        "r3d",
        "r3d_tada",
    ],
)
def test_all_stages(tmp_path_factory, tmp_path, name):
    data = make(tmp_path_factory.mktemp("more"), 6, 14.0)
    result = tada("run", data, tmp_path, name, "backbone.width=8", "finetune.epochs=4")
    assert result.exit_code == 0, result.output
    detections = pd.read_csv(tmp_path / "classify/detections.csv")
    assert len(detections) and detections["score"].notna().all()
    results = json.loads((tmp_path / "eval/results.json").read_text())
    assert len(results["tasks"]["mAP"]["map"]) == 10
    assert "finetune: " in result.output
    again = tada("run", data, tmp_path, name, "backbone.width=8", "finetune.epochs=4")
    assert again.exit_code == 0 and "nothing to do" in again.output


def test_a_slowfast_refuses_imagenet_before_it_is_fetched(data, tmp_path, monkeypatch):
    def fetched(*arguments, **options):
        raise AssertionError("fetched")

    monkeypatch.setattr("pipeline.training.networks.ours.imagenet_state", fetched)
    result = tada("finetune", data, tmp_path, "slowfast_8x8", "backbone.pretrained=imagenet")
    assert result.exit_code == 1
    assert "backbone.pretrained imagenet: a SlowFast starts from random weights" in result.output


def settings(*assignments: str):
    return load_config(find_config("demo"), parse_overrides(assignments)).backbone


@pytest.mark.parametrize(
    ("assignments", "holds"),
    [
        (["kernels=[3]"], lambda model: not hasattr(model.stages[0][0].conv.route, "a")),
        (["kernels=[1,3]"], lambda m: m.stages[0][0].conv.route.a.kernel_size == (1,)),
        (["global_context=false"], lambda m: m.stages[0][0].conv.route.g is None),
        (["calibrate=in_out"], lambda m: m.stages[0][0].conv.calibrate == "in_out"),
        (["calibrate=kernel"], lambda m: m.stages[0][0].conv.sizes == (9,)),
        (["proportion=0.25"], lambda m: m.stages[1][0].conv.made == (4,)),
        (["tada_stages=[4,5]"], lambda m: not hasattr(m.stages[1][0].conv, "route")),
        (["aggregation=none"], lambda m: not hasattr(m.stages[0][0].aggregate, "pooled_norm")),
        (
            ["aggregation=mixed"],
            lambda m: getattr(m.stages[0][0].aggregate, "pool", 0) is mixed_over_time,
        ),
        (["shortcut=false"], lambda m: not getattr(m.stages[0][0].aggregate, "shortcut", True)),
        (["separate_norms=false"], lambda m: m.stages[0][0].aggregate.pooled_norm is None),
        (["pool_kernel=5"], lambda m: m.stages[0][0].aggregate.kernel == 5),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_option_of_the_configuration_reaches_the_network(assignments, holds):
    plain = new_classifier(settings(), 6, seed=0)
    model = new_classifier(settings(*(f"backbone.{text}" for text in assignments)), 6, seed=0)
    assert holds(model) and not holds(plain)
    with torch.no_grad():
        assert model.eval()(torch.zeros(1, 3, 4, 32, 32)).shape == (1, 6)


@pytest.mark.parametrize(
    ("assignments", "said"),
    [
        (["backbone.name=tsn", "backbone.calibrate=out"], "tsn has no TAdaConv: calibrate"),
        (["backbone.tada_stages=[7]"], "backbone: tada_stages are some of 2 to 5"),
        (["backbone.aggregation=none", "backbone.shortcut=false"], "have no effect"),
        (["backbone.kernels=[2]"], "backbone: kernels must be one or two odd"),
        (["backbone.name=r4d"], "slowfast_4x16"),
    ],
)
def test_mistakes_are_one_line_with_the_key(assignments, said):
    with pytest.raises(UsageError) as caught:
        new_classifier(settings(*assignments), 6, seed=0)
    assert said in caught.value.message and "\n" not in caught.value.message


@pytest.mark.parametrize(
    "value", ["kernels=[3,3,3]", "proportion=0", "calibrate=both", "aggregation=max"]
)
def test_values_outside_the_range_name_their_key(value):
    with pytest.raises(UsageError, match=f"backbone.{value.partition('=')[0]}"):
        settings(f"backbone.{value}")


def test_the_demo_takes_every_network():
    assert set(BACKBONE_NAMES) == set(BACKBONES)
