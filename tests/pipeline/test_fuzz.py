"""Readers of what a user gives, on input nobody meant: only a UserError may come out."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_extraction.store import FeatureMeta, feature_path, read_features, write_features
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError
from pipeline.configuration.reading import find_config, load_config, parse_overrides
from pipeline.configuration.settings import BackboneSettings
from pipeline.configuration.thresholds import parse_iou
from pipeline.data import annotations
from pipeline.data.names import skipped_ids
from pipeline.data.videos.failures import read_failures
from pipeline.errors import UserError
from pipeline.results import tables as stage_tables
from pipeline.results.scoring import score_file
from pipeline.run_folder.manifests import read_manifest
from pipeline.runs.run import Run
from pipeline.training import checkpoints
from pipeline.training.networks.classifier import load_classifier, new_classifier

fuzz = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
few = settings(fuzz, max_examples=40)

SHORT = st.text(st.characters(), max_size=12)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.just(10**400),
    st.floats(),
    SHORT,
    st.sampled_from(["validation", "training", "grow", "v0", "1,2", "nan", "../x", "/etc/x", "\0"]),
)
TREE = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(SHORT, inner, max_size=3)),
    max_leaves=8,
)


@st.composite
def edited(draw: st.DrawFn, content: bytes) -> bytes:
    """Good bytes with some runs of them overwritten, put in, taken out or cut off."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 12))
        kind = draw(st.sampled_from(["write", "insert", "remove", "cut", "flip"]))
        if kind == "write":
            data[at : at + size] = draw(st.binary(min_size=size, max_size=size))
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=12))
        elif kind == "remove":
            del data[at : at + size]
        elif kind == "cut":
            del data[at:]
        elif at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


def edited_tree(tree: object) -> st.SearchStrategy:
    """A good JSON value in which one place holds something else, or is gone, or has company."""
    places = list(_places(tree))

    @st.composite
    def one(draw: st.DrawFn) -> object:
        path = draw(st.sampled_from(places))
        return _replaced(tree, path, draw(TREE), draw(st.sampled_from(["set", "drop", "add"])))

    return one()


def _places(tree: object, path: tuple = ()):
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items if isinstance(tree, (dict, list)) else ():
        if isinstance(value, (dict, list)):
            yield from _places(value, (*path, key))
        else:
            yield (*path, key)


def _replaced(tree: object, path: tuple, value: object, how: str) -> object:
    if not path:
        return value
    copy = json.loads(json.dumps(tree))
    at = copy
    for key in path[:-1]:
        at = at[key]
    if how == "drop":
        del at[path[-1]]
    elif how == "add" and isinstance(at, dict):
        at[str(value)[:20]] = value
    else:
        at[path[-1]] = value
    return copy


@contextlib.contextmanager
def only_ours():
    """Whatever is wrong is a UserError of one line, short enough to read."""
    try:
        yield
    except UserError as error:
        assert error.exit_code in {1, 2}
        assert "\n" not in error.message and 0 < len(error.message) < 2000, error.message


# Configurations, --set, --iou, --skip


def check_config(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with only_ours():
        load_config(path)


@fuzz
@given(
    content=st.one_of(
        st.binary(max_size=200), SHORT.map(ascii).map(str.encode), TREE.map(json.dumps)
    )
)
def test_configurations_of_anything(tmp_path, content):
    check_config(tmp_path / "c.yaml", content if isinstance(content, bytes) else content.encode())


@fuzz
@given(edit=st.data())
def test_configurations_with_a_mistake(tmp_path, edit):
    good = find_config(edit.draw(st.sampled_from(["demo", "hacs", "ek100", "ssv2"]))).read_bytes()
    if edit.draw(st.booleans()):
        check_config(tmp_path / "c.yaml", edit.draw(edited(good)))
    else:
        wrong = edit.draw(edited_tree(yaml.safe_load(good)))
        check_config(tmp_path / "c.yaml", json.dumps(wrong).encode())


@fuzz
@given(edit=st.data())
def test_settings_of_anything(edit):
    keys = st.sampled_from(["finetune.epochs", "dataset.annotations", "eval.iou", "backbone.depth",
                            "bmn", "extract.fps", "runtime.workers", "backbone.pretrained"])  # fmt: skip
    value = edit.draw(st.one_of(SHORT, TREE.map(json.dumps)))
    key = edit.draw(st.one_of(keys, SHORT))
    text = edit.draw(st.sampled_from([f"{key}={value}", key, f"{key}.{value}"]))
    with only_ours():
        load_config(find_config("demo"), parse_overrides([text]))


@fuzz
@given(
    text=st.one_of(
        SHORT, st.text("0123456789.:,-+e naif", max_size=16), st.lists(PLAIN, max_size=4)
    )
)
def test_thresholds_of_anything(text):
    try:
        found = parse_iou(text)
    except ValueError:  # the configuration's check makes it a UsageError
        return
    assert found and all(0 < value <= 1 for value in found) and len(found) < 1100


@few
@given(content=st.binary(max_size=60))
def test_skip_files_of_anything(tmp_path, content):
    (tmp_path / "skip").write_bytes(content)
    config = load_config(find_config("demo"), {"runtime.skip": str(tmp_path / "skip")})
    with only_ours():
        skipped_ids(config.runtime.skip)


# Annotations

GOOD = {
    "table": b"video,start,end,label,subset\nv0,0.5,1.5,grow,validation\nv1,0,2,grow,training\n",
    "activitynet": json.dumps(
        {
            "database": {
                "v0": {
                    "subset": "validation",
                    "duration": 9,
                    "annotations": [{"segment": [0, 2], "label": "grow"}],
                },
                "v1": {
                    "subset": "training",
                    "duration": "8.5",
                    "annotations": [{"segment": [1, 2.5], "label": "grow"}],
                },
            }
        }
    ).encode(),
    "epic_kitchens": b"narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,"
    b"start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
    b"P01_01_0,P01,P01_01,00:00:01.0,00:00:00.14,00:00:03.37,8,202,open door,open,3,door,3,\"['door']\",[3]\n",
    "kinetics": b"label,youtube_id,time_start,time_end,split\ngrow,v0,1,11,validate\ngrow,v1,0,10,train\n",
    "something": json.dumps([{"id": "1", "label": "grow", "template": "[grow]"}]).encode(),
}


def check_annotations(path: Path, kind: str, content: bytes) -> None:
    path.write_bytes(content)
    changes = {
        "dataset.format": kind,
        "dataset.annotations": [str(path)] * (2 if kind in {"epic_kitchens", "something"} else 1),
        "dataset.classes": None,
    }
    config = load_config(find_config("demo"), changes)
    with only_ours():
        dataset = annotations.load_annotations(config.dataset)
        for video in dataset.videos["video"]:
            assert "/" not in video and "\0" not in video and video not in {"", ".", ".."}
        rows, _ = annotations.training_rows(dataset, config.dataset.train_subset)
        assert (rows["start"] >= 0).all() and (rows["end"] > rows["start"]).all()
        dataset.targets(rows)
        "".join(name for head in dataset.heads for name in head).encode()


@pytest.mark.parametrize("kind", sorted(GOOD))
@fuzz
@given(edit=st.data())
def test_annotations_with_a_mistake(tmp_path, kind, edit):
    check_annotations(tmp_path / "rows", kind, edit.draw(edited(GOOD[kind])))


@pytest.mark.parametrize("kind", ["activitynet", "something"])
@fuzz
@given(edit=st.data())
def test_annotation_trees_with_a_mistake(tmp_path, kind, edit):
    tree = edit.draw(edited_tree(json.loads(GOOD[kind])))
    check_annotations(tmp_path / "rows", kind, json.dumps(tree).encode())


@pytest.mark.parametrize("kind", sorted(GOOD))
@few
@given(content=st.one_of(st.binary(max_size=100), TREE.map(lambda tree: json.dumps(tree).encode())))
def test_annotations_of_anything(tmp_path, kind, content):
    check_annotations(tmp_path / "rows", kind, content)


FIELDS = st.one_of(
    st.sampled_from(["v0", "v1", "0", "1.5", "-1", "nan", "inf", "1e999", "", "grow", "training",
                     "validation", "../x", "00:00:01.5", "99:99:99", '"', "a\0b"]),
    SHORT,
)  # fmt: skip


@pytest.mark.parametrize("kind", ["table", "kinetics", "epic_kitchens"])
@fuzz
@given(edit=st.data())
def test_annotation_rows_of_anything(tmp_path, kind, edit):
    head = GOOD[kind].split(b"\n")[0].decode()
    width = head.count(",") + 1
    rows = edit.draw(
        st.lists(st.lists(FIELDS, min_size=width, max_size=width), min_size=1, max_size=3)
    )
    text = "\n".join([head, *(",".join(row) for row in rows)])
    check_annotations(tmp_path / "rows", kind, text.encode("utf-8", "replace"))


# Detections

FOUND = {
    "activitynet": {
        "version": "VERSION 1.3",
        "results": {"v0": [{"label": "grow", "score": 0.5, "segment": [0, 2]}]},
        "external_data": {},
    },
    "epic_kitchens": {
        "version": "0.2", "challenge": "action_detection", "sls_pt": 2, "sls_tl": 3, "sls_td": 3,
        "results": {
            "P01_01": [{"verb": 3, "noun": 3, "action": "3,3", "score": 0.5, "segment": [0.1, 3.0]}]
        },
    },
}  # fmt: skip


def check_detections(folder: Path, kind: str, name: str, content: bytes) -> None:
    truth = folder / "truth"
    truth.write_bytes(GOOD[kind])
    (folder / name).write_bytes(content)
    changes = {"dataset.format": kind, "dataset.annotations": str(truth), "dataset.classes": None}
    config = load_config(find_config("demo"), changes)
    with only_ours():
        score_file(config, folder / name)


def packed(name: str, content: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(content)
    if name.endswith(".zip"):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("test.json", content)
        return stream.getvalue()
    return content


@pytest.mark.parametrize("kind", sorted(FOUND))
@fuzz
@given(edit=st.data())
def test_detections_with_a_mistake(tmp_path, kind, edit):
    name = edit.draw(st.sampled_from(["found.json", "found.json.gz", "found.zip"]))
    how = edit.draw(st.sampled_from(["tree", "bytes", "packed"]))
    if how == "tree":
        content = packed(name, json.dumps(edit.draw(edited_tree(FOUND[kind]))).encode())
    elif how == "bytes":
        content = packed(name, edit.draw(edited(json.dumps(FOUND[kind]).encode())))
    else:
        content = edit.draw(edited(packed(name, json.dumps(FOUND[kind]).encode())))
    check_detections(tmp_path, kind, name, content)


# What stages leave for each other


@few
@given(content=st.one_of(st.binary(max_size=80), TREE.map(lambda tree: json.dumps(tree).encode())))
def test_manifests_and_failures_of_anything(tmp_path, content):
    for name in ("manifest.json", "failures.json"):
        (tmp_path / "extract").mkdir(exist_ok=True)
        (tmp_path / "extract" / name).write_bytes(content)
    with only_ours():
        read_manifest(tmp_path / "extract")
    with only_ours():
        read_failures(tmp_path / "extract")


@fuzz
@given(edit=st.data())
def test_tables_between_stages_with_a_mistake(tmp_path, edit):
    good = b"video,start,end,score,label\nv0,0.5,1.5,0.9,grow\nv0,0.25,2.0,0.5,grow\n"
    (tmp_path / "rows").write_bytes(GOOD["table"])
    changes = {"dataset.annotations": str(tmp_path / "rows"), "dataset.classes": None}
    dataset = annotations.load_annotations(load_config(find_config("demo"), changes).dataset)
    for path in (stage_tables.PROPOSALS, stage_tables.DETECTIONS):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(edit.draw(edited(good)))
    with only_ours():
        stage_tables.read_proposals(tmp_path, dataset, "validation")
    with only_ours():
        table = stage_tables.read_detections(tmp_path, dataset, "validation")
        assert set(table["label"]) <= {"grow"} and set(table["video"]) <= {"v0"}


# Feature files and checkpoints


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The features of a run with one feature file, and its bytes."""
    run = tmp_path_factory.mktemp("stored")
    config = load_config(find_config("demo"))
    settings = config.extract
    meta = FeatureMeta(
        "v0", settings.fps, settings.frames, settings.interval, settings.stride,
        settings.short_side, 12.5, config.backbone.name, "ab" * 32, settings.precision,
    )  # fmt: skip
    path = feature_path(run / "extract/features", "v0")
    write_features(path, torch.rand(6, 5).numpy(), meta)
    return config, Run(run, config).features, path, path.read_bytes()


@settings(fuzz, max_examples=400)
@given(edit=st.data())
def test_feature_files_with_a_mistake(stored, edit):
    config, store, path, good = stored
    path.write_bytes(edit.draw(edited(good)))
    with only_ours():
        features = store("v0")
        assert len(features) > 0 and features.grid.fps == config.extract.fps
    with only_ours():
        store.shape("v0")


SMALL = BackboneSettings(name="tada2d", depth=(1, 1, 1, 1), width=4)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A run with a classifier, and its bytes."""
    run = tmp_path_factory.mktemp("weights")
    network = new_classifier(SMALL, 3, 0)
    stream = io.BytesIO()
    torch.save({"model": network.state_dict()}, stream)
    (run / "finetune").mkdir()
    return run, stream.getvalue()


@few
@given(edit=st.data())
def test_checkpoints_with_a_mistake(weights, edit):
    run, good = weights
    path = run / "finetune/model.pt"
    path.write_bytes(edit.draw(edited(good)))
    with only_ours():
        load_classifier(SMALL, 3, run, torch.device("cpu"))
    with only_ours():
        new_classifier(SMALL.model_copy(update={"pretrained": str(path)}), 3, 0)


TENSORS = st.one_of(
    TREE,
    st.sampled_from([torch.zeros(2, 3), torch.tensor(float("nan")), torch.zeros(0), {1: 2}]),
    st.dictionaries(SHORT, st.just(torch.zeros(3)), max_size=2),
)


@few
@given(parts=st.dictionaries(st.sampled_from(["epoch", "step", "history", "sums", "model", "optimizer", "scaler",
                                              "state_dict", "model_state"]), TENSORS))  # fmt: skip
def test_checkpoints_of_anything(tmp_path, parts):
    path = tmp_path / "finetune/model.pt"
    path.parent.mkdir(exist_ok=True)
    torch.save(parts | {"fingerprint": "same"}, path)
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    states = {"model": model, "optimizer": optimizer, "scaler": torch.amp.GradScaler("cpu")}
    with only_ours():
        checkpoints.Checkpoint(path, "same", states).restore(torch.device("cpu"), 9)
    with only_ours():
        load_classifier(SMALL, 3, tmp_path, torch.device("cpu"))
    with only_ours():
        new_classifier(SMALL.model_copy(update={"pretrained": str(path)}), 3, 0)


@few
@given(edit=st.data())
def test_videos_with_a_mistake(data, tmp_path, edit):
    """Whatever a decoder makes of them: frames, or one error of the reader's own."""
    path = tmp_path / "v.mp4"
    good = (data / "videos/training_000.mp4").read_bytes()
    path.write_bytes(edit.draw(edited(good)))
    with contextlib.suppress(VideoError), open_video(path) as reader:
        reader.clip([0.1, 5.0])
        list(reader.frames_at([0.0, 1.0, 13.0]))


def test_the_good_ones_are_good(tmp_path, stored):
    """What the tests above spoil passes as it is."""
    for kind, content in GOOD.items():
        check_annotations(tmp_path / "rows", kind, content)
    _, _, path, good = stored
    path.write_bytes(good)
    assert read_features(path)[0].shape == (6, 5)
    for kind, content in FOUND.items():
        check_detections(tmp_path, kind, "found.json", json.dumps(content).encode())
