"""Names of networks that others publish, and what is read of them; neither torch nor transformers is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from feature_extraction.published.description import Description, from_json
from feature_extraction.published.names import (
    PublishedError,
    by_content,
    parse_name,
    unknown_name,
    with_whole_path,
    without_path,
)


def test_a_name_has_a_source_and_a_name():
    assert parse_name("tada2d") is None
    assert parse_name("hf:MCG-NJU/videomae-base") == ("hf", "MCG-NJU/videomae-base")
    assert parse_name("timm:resnet50.a1_in1k") == ("timm", "resnet50.a1_in1k")
    assert str(parse_name("torchvision:r3d_18")) == "torchvision:r3d_18"


@pytest.mark.parametrize(
    "name", ["hf:", "hf: ", "torchvision:", "keras:x", "timm:hf-hub:org/model", "timm:../x", ":x"]
)
def test_what_names_no_network_is_refused(name):
    with pytest.raises(PublishedError):
        parse_name(name)


def test_a_folder_is_told_from_a_name_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_name("hf:org/model").folder is None
    (tmp_path / "org/model").mkdir(parents=True)
    published = parse_name("hf:org/model")
    assert published.folder is not None
    assert with_whole_path(published) == f"hf:{tmp_path / 'org/model'}"
    for name in ("/gone/model", "./model", "~/model", "a/b/c", "model/"):
        assert parse_name(f"hf:{name}").folder is not None, name
    assert with_whole_path(parse_name("hf:other/model")) == "hf:other/model"


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("hf:/data/models/tiny", "hf:tiny"),
        ("hf:/data/models/tiny/", "hf:tiny"),
        (r"hf:C:\models\tiny", "hf:tiny"),
        ("hf:./tiny", "hf:tiny"),
        ("hf:org/model", "hf:org/model"),
        ("hf:/", "hf:model"),
        ("tada2d", "tada2d"),
        ("timm:resnet18", "timm:resnet18"),
    ],
)
def test_the_place_of_a_folder_is_no_part_of_its_name(name, bare):
    assert without_path(name) == bare == without_path(bare)
    assert by_content(name) == ("hf" if name.startswith("hf:") else name)


def test_an_unknown_name_is_told_with_the_nearest_or_with_all():
    near = unknown_name(parse_name("torchvision:r3d18"), ["r3d_18", "s3d"])
    assert "did you mean r3d_18" in str(near)
    assert "choose one of a, b" in str(unknown_name(parse_name("timm:zzzzzz"), ["b", "a"]))


def test_a_description_comes_back_from_json():
    whole = Description(
        "hf:x",
        "main",
        "abc",
        16,
        2,
        256,
        224,
        (0.1, 0.2, 0.3),
        (1.0, 2.0, 3.0),
        {"model_type": "vivit"},
    )
    for described in (whole, Description("timm:resnet18")):
        assert from_json(described.to_json()) == described


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": 1},
        {},
        {"name": "x", "more": 1},
        {"name": "x", "frames": 0},
        {"name": "x", "frames": True},
        {"name": "x", "every": None},
        {"name": "x", "crop": 1 << 40},
        {"name": "x", "mean": [0.1, 0.2]},
        {"name": "x", "std": [0.1, 0.0, 0.2]},
        {"name": "x", "mean": [float("nan")] * 3},
        {"name": "x", "revision": 3},
        {"name": "x", "architecture": []},
        {"name": "x", "architecture": {"a": "b" * 200_000}},
    ],
)
def test_what_is_no_description_is_refused(wrong):
    with pytest.raises(PublishedError):
        from_json(wrong)


def test_names_and_settings_are_read_without_the_libraries():
    code = (
        "import sys; import feature_extraction.published.hugging_face;"
        "found = {'torch', 'transformers', 'timm', 'huggingface_hub'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
