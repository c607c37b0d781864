"""What a network's publisher says goes into the configuration; what contradicts it is reported or refused."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from helpers.published_models import COLOURS, write_model

from pipeline.configuration.keys import result_fields
from pipeline.configuration.reading import dump_config, find_config, load_config, read_config
from pipeline.configuration.stored import as_start, from_store, to_store
from pipeline.errors import UsageError, UserError

CLIP = {"finetune.frames": 8, "extract.frames": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "tiny", "videomae")


def loaded(name, config="small", **more):
    keys = {
        "backbone.name": str(name),
        **CLIP,
        **{k.replace("__", "."): v for k, v in more.items()},
    }
    return load_config(find_config(config), keys)


def test_the_publishers_values_take_the_place_of_others_and_are_said(folder, capsys):
    config = loaded(f"hf:{folder}")
    assert config.backbone.mean == pytest.approx(COLOURS["image_mean"])
    assert config.backbone.std == pytest.approx(COLOURS["image_std"])
    assert (config.extract.short_side, config.extract.crop) == (32, "center")
    assert (config.finetune.crop, config.finetune.eval_short_side) == (32, 32)
    assert config.finetune.short_side == (32, 40)
    said = capsys.readouterr().err
    assert said.startswith(
        "hf:tiny: as its publisher says: backbone.mean = [0.4, 0.45, 0.5], not ["
    )
    assert "extract.crop = center, not whole" in said and said.count("\n") == 1
    # once it is written there is nothing more to say
    again = read_config(dump_config(config), folder / "config.yaml")
    assert again == config and capsys.readouterr().err == ""


def test_a_processor_that_cuts_a_smaller_square(tmp_path):
    cut = {"size": {"shortest_edge": 36}}
    config = loaded(f"hf:{write_model(tmp_path / 'm', 'vivit', processor=cut)}").detection()
    assert (config.extract.short_side, config.extract.crop) == (36, 32)
    assert (config.finetune.eval_short_side, config.finetune.crop) == (36, 32)
    assert config.views.short_side == 32


def test_a_range_of_sizes_that_fits_is_left(folder):
    config = loaded(f"hf:{folder}", finetune__short_side=[40, 60], finetune__eval_short_side=40)
    assert config.finetune.short_side == (40, 60) and config.finetune.eval_short_side == 32


@pytest.mark.parametrize("key", ["finetune.frames", "extract.frames"])
def test_clips_of_another_length_are_refused(folder, key):
    with pytest.raises(
        UsageError, match=rf"{key} = 16: hf:tiny takes clips of 8 frames: set"
    ) as caught:
        loaded(f"hf:{folder}", **{key.replace(".", "__"): 16})
    assert "finetune.frames=8 and extract.frames=8" in caught.value.message


def test_clips_that_tubelets_do_not_fill_are_refused(tmp_path):
    name = f"hf:{write_model(tmp_path / 'm', 'vjepa2')}"
    assert loaded(name, extract__frames=6).extract.frames == 6
    with pytest.raises(UsageError, match=r"extract\.frames = 7: .* a multiple of 2 frames"):
        loaded(name, extract__frames=7)


def test_a_network_of_any_size_leaves_sizes_alone():
    before, config = load_config(find_config("small")), loaded("torchvision:r3d_18")
    assert config.finetune.crop == before.finetune.crop
    assert config.extract == before.extract.model_copy(update={"frames": 8})
    assert config.backbone.mean == pytest.approx((0.43216, 0.394666, 0.37645))


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("hf:/gone/model", {}, "backbone.name: hf:/gone/model: no such folder"),
        ("torchvision:r3d18", {}, "did you mean r3d_18"),
        ("keras:x", {}, "networks of other publishers are"),
        ("timm:resnet18", {"backbone__revision": "main"}, "has no revisions"),
        ("torchvision:r3d_18", {"backbone__published": {"x": 1}}, "backbone.published"),
        ("torchvision:r3d_18", {"backbone__published": 3}, "what tada-loc has written"),
    ],
)
def test_what_cannot_be_is_one_line(name, more, said):
    with pytest.raises(UsageError, match=said):
        loaded(name, **more)


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        UsageError,
        match=r"hf:org/model needs transformers: pip install transformers \(the extra hf\)",
    ):
        loaded("hf:org/model")


def test_a_head_on_features_needs_no_network():
    config = loaded("hf:/gone/model", config="thumos14", finetune__source="features")
    assert config.backbone.published is None


def fields_of(folder):
    return result_fields("backbone", loaded(f"hf:{folder}").backbone)


def test_the_place_and_the_name_of_a_folder_change_no_result_and_its_settings_do(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "another/name")
    assert fields_of(moved) == fields_of(folder)
    assert str(tmp_path) not in json.dumps(fields_of(moved))
    path = moved / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_attention_heads": 2}))
    assert fields_of(moved) != fields_of(folder)


def test_a_folder_with_relative_path_is_found_from_elsewhere(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder.parent)
    config = loaded("hf:tiny")
    assert config.backbone.name == f"hf:{folder}"
    monkeypatch.chdir(tmp_path)
    assert read_config(dump_config(config), tmp_path / "x.yaml") == config


def test_what_a_run_has_kept_is_enough_once_the_folder_is_gone(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "tiny")
    config = loaded(f"hf:{moved}")
    shutil.rmtree(moved)
    again = read_config(dump_config(config), tmp_path / "x.yaml")
    assert again == config
    with pytest.raises(UsageError, match="no such folder"):  # another folder is another matter
        read_config(dump_config(config), tmp_path / "x.yaml", {"backbone.name": "hf:/gone/other"})


def test_a_folder_that_has_changed_is_read_again(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "tiny")
    config = loaded(f"hf:{moved}")
    path = moved / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "image_mean": [0.1, 0.1, 0.1]}))
    again = read_config(dump_config(config), tmp_path / "x.yaml")
    assert again.backbone.mean == pytest.approx((0.1, 0.1, 0.1))


def test_a_model_file_holds_no_path_and_looks_nothing_up(folder, tmp_path, monkeypatch):
    config = loaded(f"hf:{folder}").detection()
    stored = to_store(config)
    assert str(folder.parent) not in json.dumps(stored) and stored["backbone"]["name"] == "hf:tiny"
    assert from_store(stored).backbone.description == config.backbone.description
    # a folder of that name which happens to lie here is not taken for it
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    start = as_start(stored, "model.tada")
    start["dataset"].update(annotations="a.csv", videos="v")
    (tmp_path / "start.yaml").write_text(json.dumps(start))
    assert load_config(tmp_path / "start.yaml").backbone.name == "hf:tiny"
    for change in (
        {"published": None},
        {"name": "hf:other/model"},
        {"name": f"hf:{folder}"},
        {"revision": "main"},
    ):
        other = {**stored, "backbone": {**stored["backbone"], **change}}
        with pytest.raises(UserError):
            from_store(other)
