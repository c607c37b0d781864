"""A model goes into a file and comes out the same; the same model is the same bytes, and says nothing of the machine."""

from __future__ import annotations

import getpass
import hashlib
import json
import shutil
import socket
from dataclasses import replace

import pytest
import torch
from helpers.model_files import RESULTS, parts, small_model
from safetensors import safe_open
from safetensors.torch import load_file

from feature_extraction.weights import read_checkpoint
from pipeline.errors import UserError
from pipeline.model_files.reading import read_model
from pipeline.model_files.writing import write_model
from pipeline.training.networks.classifier import untrained_classifier
from pipeline.training.networks.heads import build_head

PATHS = {
    "dataset__annotations": ["/home/unmistakable/a.csv", "/home/unmistakable/b.csv"],
    "dataset__videos": "/home/unmistakable/videos",
    "dataset__video_info": "/home/unmistakable/info.csv",
    "dataset__classes": "/home/unmistakable/classes.txt",
    "dataset__name": "/home/unmistakable/own",
    "dataset__exclude_videos": ["unmistakable_video"],
    "runtime__skip": "/home/unmistakable/skip.txt",
    "backbone__pretrained": "/home/unmistakable/weights/k400.pyth",
    "eval__published": {"unmistakable": {"0.5": 1.0}},
    "eval__paper_dataset": "unmistakable",
}
FORMS = {
    "a row of labels": ("demo", (("dive", "jump"),), {}),
    "verbs and nouns": ("ek100", (("open", "close"), ("door", "drawer", "left:hand")), {}),
    "slowfast": ("hacs_slowfast_tada", (("dive",),), {}),
    "regression": ("demo", (("dive", "jump"),), {"bmn__regression": True}),
    "proposals without a limit": ("demo", (("a",),), {"proposals__count": None}),
    "actionformer": ("demo", (("dive", "jump"),), {"detector__name": "actionformer"}),
    "actionformer without classes": ("demo", (("dive", "jump"),), {
        "detector__name": "actionformer", "actionformer__classes": "none", "classify__mode": "video",
    }),
    "actionformer of verbs and nouns": ("ek100", (("open", "close"), ("door", "drawer")), {
        "detector__name": "actionformer", "actionformer__trunk": "separate", "detections__pairs": 3,
    }),
    "strange labels": ("demo", (("<script>", "../", 'a "b"', "👩‍👧", "\u200fימין", "=1+1", " x", "3,17"),), {}),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_again(form, tmp_path):
    config, heads, settings = FORMS[form]
    model = small_model(config, heads, **settings)
    write_model(model, tmp_path / "own.tada")
    again = read_model(tmp_path / "own.tada")
    assert (again.digest, again.heads, again.name) == (model.digest, model.heads, "own")
    assert (again.results, again.note) == (model.results, model.note)
    assert list(again.results["average_recall"]) == list(RESULTS["average_recall"])
    for name in ("backbone", "finetune", "views", "extract", *model.config.head_sections):
        ours, theirs = (m.config.section(name).model_dump() for m in (model, again))
        initial = ours.pop("pretrained", None), theirs.pop("pretrained", None)
        assert ours == theirs and (initial[0] or "").endswith(initial[1] or "")
    for network in ("classifier", "detector"):
        ours, theirs = getattr(model, network), getattr(again, network)
        assert ours.keys() == theirs.keys()
        for name, tensor in ours.items():
            assert torch.equal(theirs[name], tensor) and theirs[name].dtype == tensor.dtype
    sizes = again.num_classes
    untrained_classifier(again.config.backbone, sizes).load_state_dict(again.classifier)
    channels = untrained_classifier(again.config.backbone, sizes).feature_dim
    build_head(again.config, channels, tuple(map(len, heads))).load_state_dict(again.detector)


def test_the_same_model_is_the_same_bytes_wherever_it_comes_from(model, written_file, tmp_path):
    write_model(model, tmp_path / "other name", trained="2026-11-26")
    assert (tmp_path / "other name").read_bytes() == written_file.read_bytes()
    write_model(read_model(written_file), tmp_path / "again", trained="2026-11-26")
    assert (tmp_path / "again").read_bytes() == written_file.read_bytes()
    strided = {
        n: t.to(memory_format=torch.channels_last) if t.dim() == 4 else t
        for n, t in model.classifier.items()
    }
    write_model(replace(model, classifier=strided), tmp_path / "strided", trained="2026-11-26")
    assert (tmp_path / "strided").read_bytes() == written_file.read_bytes()


def test_nothing_in_it_is_of_this_machine(tmp_path):
    model = small_model(**PATHS)
    folder = tmp_path / "unmistakable"
    write_model(model, folder / "own.tada")
    image = (folder / "own.tada").read_bytes()
    words = ["unmistakable", "/home", str(tmp_path), socket.gethostname(), getpass.getuser()]
    for word in words:
        assert word.encode() not in image or len(word) < 5  # such a one is there by chance
    again = read_model(folder / "own.tada")
    assert again.config.backbone.pretrained == "k400.pyth" and again.config.dataset.name == "own"
    assert again.digest == model.digest


def test_the_library_of_the_form_reads_it(model, written_file):
    found = load_file(written_file)
    wanted = {f"classifier.{name}": tensor for name, tensor in model.classifier.items()}
    wanted |= {f"bmn.{name}": tensor for name, tensor in model.detector.items()}
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    with safe_open(written_file, "pt") as file:
        assert list(file.metadata()) == ["tada_loc"]
        content = json.loads(file.metadata()["tada_loc"])
    assert content["format"] == "tada-loc model" and content["classes"] == [["dive", "jump", "run"]]


def test_a_reader_of_a_few_lines_finds_what_the_document_says(model, written_file):
    header, data = parts(written_file)
    content = json.loads(header.pop("__metadata__")["tada_loc"])
    for name, block in header.items():
        begin, end = block["data_offsets"]
        assert hashlib.sha256(data[begin:end]).hexdigest() == content["sha256"][name]
    told = content.pop("checksum")
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == told
    assert content["digest"] == model.digest and content["trained"] == "2026-11-26"


def test_as_a_checkpoint_it_is_its_classifier(model, own):
    for path in (own, shutil.copy(own, own.with_name("weights.pth"))):
        found = read_checkpoint(path)
        assert found.keys() == model.classifier.keys()
        assert all(torch.equal(found[name], tensor) for name, tensor in model.classifier.items())


def broken(model, **tensors):
    return replace(model, classifier={**model.classifier, **tensors})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: broken(m, **{"stem.conv.weight": torch.full((4, 3, 7, 7), float("nan"))}), "diverged"),
        (lambda m: broken(m, more=torch.zeros(1)), "networks do not have: classifier.more"),
        (lambda m: replace(m, classifier=dict(list(m.classifier.items())[1:])), "is missing tensors"),
        (lambda m: replace(m, heads=(("dive", "jump"),)), "the network's F32 [2, "),
        (lambda m: replace(m, heads=(("dive", "jump", "jump"),)), "'jump' appears twice"),
        (lambda m: replace(m, heads=(("dive", "jump", "a\nb"),)), "control character"),
        (lambda m: replace(m, note="\x1b[2J"), "note: it is not plain text"),
        (lambda m: replace(m, note="x" * 300_000), "note: "),
        (lambda m: replace(m, note="\ud800"), "note: "),
        (lambda m: broken(m, **{"head.classifiers.0.bias": torch.zeros(3).bfloat16()}), "bfloat16"),
        (lambda m: broken(m, **{"head.classifiers.0.bias": torch.zeros(3).half()}), "float16"),
    ],
)  # fmt: skip
def test_what_no_reader_would_take_is_not_written(model, tmp_path, change, said):
    with pytest.raises(UserError) as caught:
        write_model(change(model), tmp_path / "own.tada")
    assert said in caught.value.message and caught.value.message.isprintable()
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_written(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="own.tada: cannot be written"):
        write_model(model, tmp_path / "file" / "own.tada")


def test_only_files_with_another_head_than_bmn_have_the_second_version(tmp_path):
    for name, version in (("bmn", 1), ("actionformer", 2)):
        path = tmp_path / f"{name}.tada"
        write_model(small_model(detector__name=name), path)
        content = json.loads(parts(path)[0]["__metadata__"]["tada_loc"])
        assert content["version"] == version and read_model(path).config.detector.name == name
        heads = {"bmn", "proposals", "classify", "detector", "actionformer", "detections"}
        there = {"bmn": {"bmn", "proposals", "classify"}}
        wanted = there.get(name, {"detector", "actionformer", "detections"})
        assert heads & set(content["configuration"]) == wanted
