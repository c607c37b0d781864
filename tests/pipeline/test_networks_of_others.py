"""Networks that others publish through the whole pipeline: features are those of the library itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from helpers.published_models import COLOURS, SIDE, called_directly, write_model

from feature_extraction.clips import iter_clips
from feature_extraction.read_ahead import FrameThread
from feature_extraction.sampling import ClipGrid
from pipeline.cli.commands import main
from pipeline.demo.dataset import make_dataset
from pipeline.training.checkpoints import saved_weights

SMALL = [
    "finetune.epochs=1", "finetune.warmup_epochs=0", "finetune.batch_size=4", "finetune.crop=32",
    "finetune.short_side=[32,36]", "finetune.eval_short_side=32", "extract.short_side=32",
    "extract.stride=16", "bmn.epochs=2", "bmn.batch_size=2", "bmn.hidden_1d=8", "bmn.hidden_2d=8",
    "bmn.hidden_3d=8", "bmn.num_samples=4", "bmn.temporal_scale=16", "bmn.duration_scale=8",
    "bmn.window_step=8", "runtime.device=cpu", "runtime.workers=0",
]  # fmt: skip
KINDS = ("videomae", "timesformer", "vivit", "vjepa2")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_dataset(folder, train_videos=2, val_videos=1, seconds=8.0, workers=1)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "tiny", "videomae")


def tada(command: str, *words: str):
    return CliRunner().invoke(main, [command, *map(str, words)], catch_exceptions=False)


def on_data(command: str, data: Path, run: Path, name: object, *extra: str):
    own = [f"dataset.videos={data / 'videos'}", f"dataset.annotations={data / 'annotations.csv'}"]
    words = ["--config", "demo", "--run-dir", str(run)]
    for assignment in [*own, *SMALL, f"backbone.name={name}", *extra]:
        words += ["--set", assignment]
    return tada(command, *words)


def error_of(result) -> str:
    assert result.exit_code in (1, 2), result.output
    assert "Traceback" not in result.output and "unexpected" not in result.output, result.output
    return result.output.strip().splitlines()[-1]


def stored(run: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted((run / "extract/features").iterdir()):
        with h5py.File(path) as file:
            assert not str(file.attrs["backbone"]).startswith("hf:/")
            found[path.stem] = file["features"][:].astype(np.float32)
    return found


def clips_of(path: Path) -> torch.Tensor:
    """What extraction shows the network of a video: [n, 3, T, H, W], by the demo's clip grid."""
    grid = ClipGrid(15, 8, 4, 16)
    with FrameThread(path, grid, SIDE, crop=SIDE) as frames:
        clips = torch.stack(list(iter_clips(frames, grid, lambda: frames.duration)))
    mean, std = (torch.tensor(COLOURS[key]).view(3, 1, 1) for key in ("image_mean", "image_std"))
    return ((clips / 255 - mean) / std).transpose(1, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_linear_probe_and_its_features(data, tmp_path, kind):
    """`train: head` leaves the network as it was published: what is extracted is what transformers gives."""
    folder = write_model(tmp_path / "model", kind)
    result = on_data("extract", data, tmp_path / "run", f"hf:{folder}", "backbone.train=head")
    assert result.exit_code != 0 and "finetune" in result.output  # trained first
    result = on_data("finetune", data, tmp_path / "run", f"hf:{folder}", "backbone.train=head")
    assert result.exit_code == 0, result.output
    assert "the head alone is trained" in result.output
    result = on_data("extract", data, tmp_path / "run", f"hf:{folder}", "backbone.train=head")
    assert result.exit_code == 0, result.output
    for video, features in stored(tmp_path / "run").items():
        wanted = called_directly(folder, clips_of(data / "videos" / f"{video}.mp4"))
        assert features.shape == wanted.shape
        np.testing.assert_allclose(features, wanted.numpy(), rtol=2e-3, atol=2e-3)  # kept in half


def weights(run: Path) -> dict[str, torch.Tensor]:
    return saved_weights(run / "finetune/model.pt")


def test_all_of_it_is_trained_or_the_head_alone(data, tmp_path, model):
    for train in ("all", "head"):
        made = on_data("finetune", data, tmp_path / train, f"hf:{model}", f"backbone.train={train}")
        assert made.exit_code == 0, made.output
    both, head = weights(tmp_path / "all"), weights(tmp_path / "head")
    from transformers import AutoModel

    published = AutoModel.from_pretrained(model).state_dict()
    of_network = {
        name.removeprefix("network."): t for name, t in head.items() if "network." in name
    }
    assert of_network.keys() == published.keys()
    assert all(torch.equal(of_network[name], tensor) for name, tensor in published.items())
    moved = [name for name in head if not torch.equal(both[name], head[name])]
    assert len(moved) > len(head) // 2


@pytest.fixture(scope="module")
def run(data, model, tmp_path_factory):
    """All stages on a model in a folder that is gone afterwards."""
    place = tmp_path_factory.mktemp("run")
    folder = shutil.copytree(model, place / "there/tiny")
    result = on_data("run", data, place / "run", f"hf:{folder}")
    assert result.exit_code == 0, result.output
    return place / "run", folder


def test_a_second_run_has_nothing_to_do_and_a_renamed_folder_neither(data, run, model):
    folder, there = run
    for name in (f"hf:{there}", f"hf:{model}"):
        again = on_data("run", data, folder, name)
        assert again.exit_code == 0, again.output
        assert "nothing to do" in again.output and "epoch" not in again.output


def test_another_model_in_a_folder_of_the_same_name_is_another_one(data, run, tmp_path):
    folder, there = run
    other = write_model(tmp_path / there.name, "videomae", seed=7)
    result = tada("status", "--run-dir", folder, "--set", f"backbone.name=hf:{other}")
    assert "stale" in result.output and "pretrained weights changed" in result.output
    refused = on_data("finetune", data, folder, f"hf:{other}")
    assert "--force" in error_of(refused)


def test_predict_of_the_run_and_of_its_file_without_the_folder(data, run, tmp_path):
    folder, there = run
    away = there.rename(there.with_name("away"))
    try:
        file = tmp_path / "own.tada"
        exported = tada("export", "--run-dir", folder, "--to", file)
        assert exported.exit_code == 0, exported.output
        assert str(there.parent).encode() not in file.read_bytes()
        told = tada("info", file)
        assert "hf:tiny" in told.output and "initial weights hf:tiny" in told.output
        (video,) = (data / "videos").glob("validation_*.mp4")
        tables = []
        for name, source in (("run", folder), ("file", file)):
            made = tada(
                "predict", video, "--model", source, "--to", tmp_path / name, "--device", "cpu"
            )
            assert made.exit_code == 0, made.output
            tables.append(pd.read_csv(tmp_path / name / "detections.csv"))
        pd.testing.assert_frame_equal(*tables)
        own = pd.read_csv(folder / "classify/detections.csv")
        own = own[own["video"] == video.stem]
        assert sorted(tables[0]["score"].round(4)) == sorted(own["score"].round(4))
    finally:
        away.rename(there)


def test_what_comes_after_training_needs_the_folder_no_more(data, run, tmp_path):
    folder, there = run
    mine = shutil.copytree(folder, tmp_path / "run")
    shutil.rmtree(mine / "extract")
    away = there.rename(there.with_name("away"))
    try:
        for stage in ("extract", "detect", "classify", "eval"):
            done = tada(stage, "--run-dir", mine)
            assert done.exit_code == 0, done.output
        assert "stale" not in tada("status", "--run-dir", mine).output
        before = (mine / "finetune/model.pt").read_bytes()
        anew = tada("finetune", "--run-dir", mine, "--force", "--set", "finetune.base_lr=0.01")
        assert "no such folder" in error_of(anew)
        assert (mine / "finetune/model.pt").read_bytes() == before
    finally:
        away.rename(there)
    for name in ("classify/detections.csv", "finetune/model.pt"):
        assert (mine / name).read_bytes() == (folder / name).read_bytes()


def test_tools_work_or_say_one_line(data, run, tmp_path):
    folder, _ = run
    (video,) = (data / "videos").glob("validation_*.mp4")
    for command in ("plan", "doctor", "status", "verify"):
        result = tada(command, "--run-dir", folder)
        assert "Traceback" not in result.output and "unexpected" not in result.output, command
        assert "Error" not in result.output, result.output
    said = error_of(tada("explain", "--run-dir", folder, video))
    assert "its backbone is hf:tiny; explain supports built-in networks only" in said


def test_training_on_from_a_model_file(data, run, tmp_path):
    folder, _ = run
    file = tmp_path / "own.tada"
    assert tada("export", "--run-dir", folder, "--to", file).exit_code == 0
    words = ["--config", file, "--run-dir", tmp_path / "further", "--videos", data / "videos"]
    words += ["--annotations", data / "annotations.csv", "--set", "runtime.device=cpu"]
    words += ["--set", "runtime.workers=0", "--set", "finetune.min_steps=1"]
    result = tada("finetune", *words)
    assert result.exit_code == 0, result.output
    assert f"hf:tiny: initial weights from {file}" in result.output
    assert "left at random" not in result.output


def checkpoint(path: Path, network: torch.nn.Module, shape: tuple[int, ...]) -> Path:
    """A network's own state dict, with the averages of batch norms that have seen something."""
    with torch.no_grad():
        for _ in range(20):
            network.train()(torch.randn(shape))
    torch.save(network.state_dict(), path)
    return path


def test_tadaconv_in_networks_of_others(data, tmp_path):
    import timm
    from torchvision import models

    cases = {
        "torchvision:mc3_18": ("layer1.*.conv?.0", models.get_model("mc3_18"), (2, 3, 4, 16, 16)),
        "timm:resnet10t": ("layer4.*.conv1", timm.create_model("resnet10t"), (4, 3, 32, 32)),
    }
    for name, (where, network, shape) in cases.items():
        file = checkpoint(tmp_path / "theirs.pt", network, shape)
        run = tmp_path / name.partition(":")[0]
        more = (f"backbone.insert={where}", "finetune.crop=whole", "finetune.base_lr=0.0001")
        more += (f"backbone.pretrained={file}", "extract.stride=32")
        result = on_data("finetune", data, run, name, *more)
        assert result.exit_code == 0, result.output
        assert f"{name}: initial weights from {file}" in result.output
        assert any(".route." in key for key in weights(run))
        result = on_data("extract", data, run, name, *more)
        assert result.exit_code == 0, result.output
        assert {features.shape[1] for features in stored(run).values()} == {512}
        assert "backbone.insert" in on_data("status", data, run, name, *more[1:]).output


@pytest.mark.parametrize(
    ("name", "extra", "said"),
    [
        (
            "hf:{model}",
            ["extract.frames=16"],
            "extract.frames = 16: hf:tiny takes clips of 8 frames",
        ),
        ("hf:{model}", ["backbone.tokens=first"], "no class token"),
        ("hf:{model}", ["backbone.insert=layer*"], "not into this one"),
        ("hf:{model}", ["backbone.pretrained=imagenet"], "applies to built-in networks only"),
        ("hf:{model}", ["backbone.pretrained=gone.pt"], "gone.pt"),
        ("torchvision:r3d_18", ["backbone.insert=gone"], "no convolution matches 'gone'"),
        ("torchvision:r3d_18", ["backbone.pretrained=gone.pt"], "gone.pt: no such file"),
        (
            "torchvision:s3d",
            ["extract.frames=4"],
            "extract.frames = 4: torchvision:s3d takes clips of 5 frames or more",
        ),
        ("torchvision:r3d_18", ["backbone.pretrained=imagenet21k"], "no weights 'imagenet21k'"),
        ("torchvision:mvit_v2_s", [], "takes clips of 16 frames"),
        ("timm:resnet1", [], "did you mean"),
        (
            "tada2d",
            ["backbone.insert=stem.*"],
            "backbone.insert = 'stem.*': has no effect on tada2d",
        ),
        ("tada2d", ["backbone.tokens=first"], "backbone.tokens = 'first': has no effect"),
        ("hf:/gone", [], "no such folder"),
    ],
)
def test_what_cannot_be_is_one_line(data, tmp_path, model, name, extra, said):
    result = on_data("finetune", data, tmp_path / "run", name.format(model=model), *extra)
    assert said in error_of(result)
    assert not (tmp_path / "run/finetune/model.pt").exists()


def test_a_folder_of_pickles_is_refused(data, tmp_path, model):
    folder = shutil.copytree(model, tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    said = error_of(on_data("finetune", data, tmp_path / "run", f"hf:{folder}"))
    assert "pytorch_model.bin, a pickle" in said


def test_a_model_files_architecture_is_bounded(run, tmp_path):
    """What a stranger's file says of a network of others makes nothing large, and looks nothing up."""
    from helpers.model_files import with_content

    folder, _ = run
    assert tada("export", "--run-dir", folder, "--to", tmp_path / "own.tada").exit_code == 0

    def said_of(**changes: object) -> str:
        def change(content: dict) -> None:
            backbone = content["configuration"]["backbone"]
            backbone["published"]["architecture"].update(changes)

        file = Path(shutil.copy(tmp_path / "own.tada", tmp_path / "other.tada"))
        return error_of(tada("info", with_content(file, change)))

    assert "num_hidden_layers" in said_of(num_hidden_layers=10**9)
    assert "layers" in said_of(num_hidden_layers=10**5)
    assert "hidden_size" in said_of(hidden_size=10**6, image_size=4096)
    assert "is a 'llama'" in said_of(model_type="llama")
    assert "is not a plain value" in said_of(vision_config={"a": {}})
    assert "other.tada" in said_of(hidden_act="nothing")
    assert "other.tada" in said_of(patch_size=0)
    assert json.loads((folder / "eval/results.json").read_text())
