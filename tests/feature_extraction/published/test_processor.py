"""What processors do to frames, against transformers' own where it can be asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from feature_extraction.published.hugging_face import describe
from feature_extraction.published.names import PublishedError, parse_name
from feature_extraction.published.processor import Processing, processing_of

WHOLE = {
    "do_resize": True, "size": {"shortest_edge": 256}, "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224}, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sizes"),
    [
        ({}, (256, 224)),
        ({"size": 256, "crop_size": 224}, (256, 224)),  # as older files have it
        ({"size": {"height": 224, "width": 224}}, (224, 224)),
        ({"size": {"shortest_edge": 292}, "crop_size": {"height": 256, "width": 256}}, (292, 256)),
        ({"do_center_crop": False, "size": {"height": 384, "width": 384}}, (384, 384)),
        ({"do_center_crop": False}, (256, None)),
        ({"do_resize": False}, (224, 224)),
        ({"size": {"shortest_edge": 200}}, (224, 224)),  # no crop is larger than its frame
    ],
)
def test_sizes_in_all_their_forms(change, sizes):
    found = processing_of({**WHOLE, **change})
    assert (found.short_side, found.crop) == sizes
    assert found.mean == pytest.approx((0.1, 0.2, 0.3)) and found.std == pytest.approx(
        (0.4, 0.5, 0.6)
    )


def test_a_file_of_several_processors_is_looked_into():
    assert processing_of({"image_processor": WHOLE, "processor_class": "X"}) == processing_of(WHOLE)


@pytest.mark.parametrize(("rescale", "offset"), [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("normalize", [True, False])
def test_colours_are_those_of_the_processor_itself(rescale, offset, normalize):
    from transformers import VivitImageProcessor

    file = {
        **WHOLE, "do_rescale": rescale, "do_normalize": normalize, "offset": offset,
        "rescale_factor": 1 / 127.5, "crop_size": {"height": 8, "width": 8}, "size": {"shortest_edge": 8},
    }  # fmt: skip
    frame = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    theirs = VivitImageProcessor(**file)([frame], return_tensors="np")["pixel_values"][0, 0]
    found = processing_of(file)
    ours = (frame / 255 - np.array(found.mean)) / np.array(found.std)
    np.testing.assert_allclose(ours.transpose(2, 0, 1), theirs, rtol=1e-4, atol=1e-3)


def test_colours_where_the_file_says_nothing():
    assert processing_of({}) == Processing(None, None, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    "change",
    [
        {"size": {"shortest_edge": "256"}},
        {"crop_size": {"height": 0, "width": 0}},
        {"size": {"longest_edge": 3}},
        {"image_mean": [0.1, 0.2]},
        {"image_std": "x"},
        {"rescale_factor": None},
    ],
)
def test_what_is_no_size_and_no_number_is_refused(change):
    with pytest.raises(PublishedError, match="of its processor"):
        processing_of({**WHOLE, **change})


VIDEOMAE = {
    "model_type": "videomae",
    "image_size": 224,
    "num_frames": 16,
    "tubelet_size": 2,
    "hidden_size": 8,
}


def folder_with(folder, config, processor=None):
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if processor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return parse_name(f"hf:{folder}")


def test_a_folder_is_described_without_its_place(tmp_path):
    published = folder_with(
        tmp_path, {**VIDEOMAE, "id2label": {"0": "x"}, "auto_map": {"A": "b.C"}}, WHOLE
    )
    found = describe(published)
    assert (found.frames, found.every, found.short_side, found.crop) == (16, 2, 256, 224)
    assert str(tmp_path.parent) not in json.dumps(found.to_json())
    assert found.architecture == VIDEOMAE


def test_without_a_processor_the_models_own_size_is_left(tmp_path):
    found = describe(folder_with(tmp_path, VIDEOMAE))
    assert (found.short_side, found.crop, found.mean, found.std) == (224, 224, None, None)


def test_a_model_of_clips_keeps_its_own_crop_and_one_of_frames_the_processors(tmp_path):
    other = {**WHOLE, "crop_size": 192}
    assert describe(folder_with(tmp_path, VIDEOMAE, other)).crop == 224
    frames = {"model_type": "dinov2", "image_size": 518, "hidden_size": 8}
    assert describe(folder_with(tmp_path, frames, other)).crop == 192


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "not valid JSON"),
        ("[1]", "is not a mapping of settings"),
        ({"hidden_size": 3}, "no model_type"),
        ({**VIDEOMAE, "num_channels": 1}, "red, green, blue"),
        ({**VIDEOMAE, "image_size": [224, 112]}, "only squares"),
        ({**VIDEOMAE, "num_frames": "many"}, "num_frames is 'many'"),
    ],
)
def test_files_that_describe_no_backbone_are_refused_by_name(tmp_path, config, said):
    with pytest.raises(PublishedError, match=said) as caught:
        describe(folder_with(tmp_path, config))
    assert tmp_path.name in str(caught.value)


def test_what_is_not_there_is_refused(tmp_path, monkeypatch):
    with pytest.raises(PublishedError, match="no such folder"):
        describe(parse_name(f"hf:{tmp_path / 'gone'}"))
    with pytest.raises(PublishedError, match=r"no config\.json"):
        describe(parse_name(f"hf:{tmp_path}"))
    folder_with(tmp_path, VIDEOMAE)
    with pytest.raises(PublishedError, match="no revisions"):
        describe(parse_name(f"hf:{tmp_path}"), "main")


def test_a_model_that_is_not_in_the_cache_says_how_to_fetch_it(tmp_path):
    code = (
        "from feature_extraction.published.hugging_face import describe\n"
        "from feature_extraction.published.names import *\n"
        "try: describe(parse_name('hf:org/model'))\n"
        "except PublishedError as error: print(error)"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", code], env=offline, capture_output=True, text=True
    )
    assert found.stdout.count("\n") == 1, found
    assert (
        "hf:org/model: there is no such folder, and config.json is not in the cache" in found.stdout
    )
    assert "hf download org/model" in found.stdout


def test_a_model_of_the_cache_is_known_by_its_commit(tmp_path):
    """The cache as huggingface_hub lays it out; nothing is asked of a network."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    store = tmp_path / "hub/models--org--model"
    (store / "refs").mkdir(parents=True)
    (store / "refs/main").write_text(commit)
    (snapshot := store / "snapshots" / commit).mkdir(parents=True)
    folder_with(snapshot, VIDEOMAE, WHOLE)
    code = (
        "from feature_extraction.published.hugging_face import describe\n"
        "from feature_extraction.published.names import *\n"
        "found = describe(parse_name('hf:org/model'))\n"
        "print(found.revision, found.crop, found.name, found.mean)"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", code], env=offline, capture_output=True, text=True
    )
    assert found.stdout.split()[:3] == [commit, "224", "hf:org/model"], found
    assert "0.1" in found.stdout


@pytest.mark.parametrize(("key", "value"), [("rescale_factor", 0), ("image_std", [0.2, 0, 0.2])])
def test_what_would_divide_by_nothing_is_refused(key, value):
    with pytest.raises(PublishedError, match=f"{key} of its processor is 0"):
        processing_of({**WHOLE, key: value})
