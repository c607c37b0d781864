"""What a stranger's file may hold: anything, and every fault of it is one line before anything is allocated."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile

import pytest
import torch
from helpers.model_files import (
    parts,
    put_together,
    with_bytes,
    with_content,
    with_header,
    with_settings,
    with_tensor,
    without_tensor,
)
from helpers.paths import ROOT, code_paths
from helpers.special_files import KINDS, SAID, put

from pipeline.errors import UserError
from pipeline.model_files.reading import read_model

HEAD = "classifier.head.classifiers.0.weight"  # [3, 128]
COUNT = "classifier.stem.norm.num_batches_tracked"
VARIANCE = "classifier.stem.norm.running_var"


def offsets(begin, end):
    return lambda header: header[HEAD].update(data_offsets=[begin, end])


def shape(*sizes):
    return lambda header: header[HEAD].update(shape=list(sizes))


def overlapping(header):
    header["alias"] = dict(header[HEAD])


def metadata(text):
    return lambda header: header["__metadata__"].update(tada_loc=text)


def content(**values):
    return lambda found: found.update(values)


def figures(**values):
    return {"iou": [0.5], "tasks": {"mAP": {"map": [9.0], "average": 9.0} | values}}


def number(value):
    return lambda data: struct.pack("<f", value) + data[4:]


def nested(path):
    return put_together(path, '{"a":' + "[" * 100_000 + "]" * 100_000 + "}", b"")


def twice(path):
    header, data = parts(path)
    name = json.dumps(HEAD)
    text = json.dumps(header)
    return put_together(path, text.replace("{", f"{{{name}: {json.dumps(header[HEAD])}, ", 1), data)


def cut(count):
    return lambda path: path.write_bytes(path.read_bytes()[:count])


def torch_file(path):
    torch.save({"model": {"a": torch.zeros(3)}}, path)


def zipped(path):
    image = path.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("own.tada", image)


def long_header(size):
    return lambda path: path.write_bytes(size.to_bytes(8, "little") + b"{" + b" " * 100)


def many_classes(found):
    found["classes"] = [[str(place) for place in range(200_000)]]


HOSTILE = {
    # the file as such
    "empty": (cut(0), "it is empty"),
    "five bytes": (cut(5), "it is not a safetensors file"),
    "cut in the header": (cut(500), "claims a header"),
    "cut in the tensors": (cut(-40), "outside the file"),
    "longer": (lambda p: p.write_bytes(p.read_bytes() + b"more"), "cut off or changed"),
    "torch": (torch_file, "a zip archive"),
    "pickle": (lambda p: p.write_bytes(b"\x80\x04\x95" + b"x" * 100), "it is a pickle"),
    "zip": (zipped, "a zip archive"),
    "text": (lambda p: p.write_text("dataset:\n  name: x\n" * 9), "is not a safetensors file"),
    # the header
    "header of 2**63": (long_header(2**63), "is not a safetensors file"),
    "header of 3 GB": (long_header(3 << 30), "claims a header"),
    "header after the end": (long_header(4096), "claims a header"),
    "no JSON": (lambda p: put_together(p, "{nothing", b""), "its header is not JSON"),
    "a list": (lambda p: put_together(p, "[]", b""), "names no tensors"),
    "nested": (nested, "its header is not JSON"),
    "a tensor twice": (twice, "appears twice"),
    "NaN in the header": (lambda p: put_together(p, '{"a": NaN}', b""), "is not a number"),
    "offsets after the end": (lambda p: with_header(p, offsets(0, 10**12)), "outside the file"),
    "offsets backwards": (lambda p: with_header(p, offsets(9, 3)), "outside the file"),
    "offsets below zero": (lambda p: with_header(p, offsets(-4, 0)), "outside the file"),
    "offsets of text": (lambda p: with_header(p, offsets("0", "1")), "outside the file"),
    "offsets of truth": (lambda p: with_header(p, offsets(False, True)), "outside the file"),
    "overlapping": (lambda p: with_header(p, overlapping), "overlaps another"),
    "a gap": (lambda p: with_header(p, lambda h: h.pop(HEAD)), "leaves a gap"),
    "negative shape": (lambda p: with_header(p, shape(-3, -128)), "has the shape"),
    "huge shape": (lambda p: with_header(p, shape(2**31, 2**31)), "has the shape"),
    "wrong shape": (lambda p: with_header(p, shape(128, 3)), "the network's F32 [3, 128]"),
    "nine axes": (lambda p: with_header(p, shape(3, 128, *[1] * 7)), "has the shape"),
    "other type": (lambda p: with_header(p, lambda h: h[HEAD].update(dtype="I32")), "is I32 [3, 128]"),
    "unknown type": (lambda p: with_header(p, lambda h: h[HEAD].update(dtype="F8")), "has the type F8"),
    "counter of another type": (lambda p: with_header(p, lambda h: h[COUNT].update(dtype="F64")), "F64 []"),
    # the metadata
    "no metadata": (lambda p: with_header(p, lambda h: h.pop("__metadata__")), "but not a model of tada-loc"),
    "metadata no texts": (lambda p: with_header(p, lambda h: h.update(__metadata__={"a": 1})), "is not a mapping of names"),
    "metadata no JSON": (lambda p: with_header(p, metadata("{'a'}")), "metadata is not JSON"),
    "metadata nested": (lambda p: with_header(p, metadata("[" * 100_000)), "metadata is not JSON"),
    "another program's": (lambda p: with_header(p, metadata('{"format": "other"}')), "not that of a tada-loc model"),
    "newer": (lambda p: with_content(p, content(version=3)),
              "made by a newer tada-loc (format 3; this one reads 2): update tada-loc"),
    "version of text": (lambda p: with_content(p, content(version="1")), "its format '1' is not a format number"),
    "changed by hand": (lambda p: with_content(p, content(note="x"), seal=False), "does not match its checksum"),
    "unknown key": (lambda p: with_content(p, content(run="rm -rf")), "run: extra inputs"),
    "no classes": (lambda p: with_content(p, content(classes=[])), "classes:"),
    "three heads": (lambda p: with_content(p, content(classes=[["a"]] * 3)), "classes:"),
    "classes no text": (lambda p: with_content(p, content(classes=[[1, 2, 3]])), "classes.0.0: "),
    "a class twice": (lambda p: with_content(p, content(classes=[["a", "b", "a"]])), "'a' appears twice"),
    "a class that steers": (lambda p: with_content(p, content(classes=[["a", "b", "\x1b[2J"]])), "control"),
    "a class of two lines": (lambda p: with_content(p, content(classes=[["a", "b", "c\nd"]])), "control"),
    "half a character": (lambda p: with_content(p, content(note="\ud800")), "note: "),
    "200,000 classes": (lambda p: with_content(p, many_classes), "at most 20000 items"),
    "other classes": (lambda p: with_content(p, content(classes=[["a", "b"]])), "the network's F32 [2, 128]"),
    "results no figures": (lambda p: with_content(p, content(results={"tasks": 3})), "results.iou: field required"),
    "results of text": (lambda p: with_content(p, content(results=figures(average="9"))), "results.tasks.mAP.average"),
    "results of truth": (lambda p: with_content(p, content(results=figures(map=[True]))), "results.tasks.mAP.map.0"),
    "no overlap": (lambda p: with_content(p, content(results=figures() | {"iou": [-0.5]})), "results.iou.0"),
    "sections no mappings": (lambda p: with_content(p, content(configuration={"bmn": 3})), "no sections"),
    "no digest": (lambda p: with_content(p, lambda c: c["sha256"].pop(HEAD)), "does not have one SHA-256"),
    "wrong digest": (lambda p: with_content(p, lambda c: c["sha256"].update({HEAD: "0" * 64})), f"the tensor {HEAD} does not match its SHA-256"),
    # the configuration
    "no such key": (lambda p: with_settings(p, bmn__hidden=3), "unknown key bmn.hidden"),
    "no such section": (lambda p: with_settings(p, shell__run="x"), "unknown key shell"),
    "a file to read": (lambda p: with_settings(p, classify__scores="/etc/passwd"), "classify.scores"),
    "videos": (lambda p: with_settings(p, dataset__videos="/home"), "dataset.videos"),
    "runtime": (lambda p: with_settings(p, runtime__device="cuda"), "runtime.device"),
    "a path": (lambda p: with_settings(p, backbone__pretrained="../a.pth"), "backbone.pretrained"),
    "decoder": (lambda p: with_settings(p, extract__decoder="/bin/sh"), "extract.decoder"),
    "a long value": (lambda p: with_settings(p, backbone__mean="x" * 5000), "...: "),
    "architecture": (lambda p: with_settings(p, backbone__name="resnet"), "unknown to this tada-loc"),
    "another network": (lambda p: with_settings(p, backbone__name="r3d_tada"), "networks"),
    "no bmn": (lambda p: with_content(p, lambda c: c["configuration"].pop("bmn")), "no section bmn"),
    "a million blocks": (lambda p: with_settings(p, backbone__depth=[1] * 60_000), "the stages of backbone.depth"),
    "blocks": (lambda p: with_settings(p, backbone__depth=[1, 1, 1, 2**31 - 1]), "the blocks of backbone.depth"),
    "depth": (lambda p: with_settings(p, backbone__depth=7), "depth must be"),
    "more blocks": (lambda p: with_settings(p, backbone__depth=[1, 1, 2, 1]), "is missing tensors"),
    "no stage": (lambda p: with_settings(p, backbone__depth=[]), "own.tada"),
    "width": (lambda p: with_settings(p, backbone__width=2**31 - 1), "backbone.width"),
    "negative width": (lambda p: with_settings(p, backbone__width=-4), "backbone.width"),
    "kernel": (lambda p: with_settings(p, backbone__kernels=[2**30 + 1]), "backbone.kernels"),
    "pool": (lambda p: with_settings(p, backbone__pool_kernel=2**30 + 1), "backbone.pool_kernel"),
    "temporal_scale": (lambda p: with_settings(p, bmn__temporal_scale=10**6), "bmn.temporal_scale"),
    "a large map": (lambda p: with_settings(p, bmn__temporal_scale=4000, bmn__duration_scale=4000), "samples_per_bin"),
    "num_samples": (lambda p: with_settings(p, bmn__num_samples=10**6), "bmn.num_samples"),
    "other num_samples": (lambda p: with_settings(p, bmn__num_samples=5), "bmn.matching.weight"),
    "samples_per_bin": (lambda p: with_settings(p, bmn__samples_per_bin=10**6), "bmn.samples_per_bin"),
    "windows": (lambda p: with_settings(p, bmn__temporal_scale=4000, bmn__window_step=1), "window_step"),
    "groups": (lambda p: with_settings(p, bmn__groups=3), "groups"),
    "hidden": (lambda p: with_settings(p, bmn__hidden_3d=2**31 - 1), "bmn.hidden_3d"),
    "short_side": (lambda p: with_settings(p, extract__short_side=10**6), "extract.short_side"),
    "frames": (lambda p: with_settings(p, extract__frames=10**6), "extract.frames"),
    "batch_size": (lambda p: with_settings(p, extract__batch_size=10**9), "extract.batch_size"),
    "batch of BMN": (lambda p: with_settings(p, bmn__batch_size=10**9), "bmn.batch_size"),
    "a large batch": (lambda p: with_settings(p, extract__batch_size=1000, extract__short_side=4000), "short_side²"),
    "clips": (lambda p: with_settings(p, extract__stride=1, extract__fps=1000), "extract.fps / stride"),
    "beyond floats": (lambda p: with_header(p, lambda h: h["__metadata__"].update(
        tada_loc=h["__metadata__"]["tada_loc"].replace('"alpha":0.4', '"alpha":1e999'))), "too large"),
    # the tensors
    "NaN": (lambda p: with_bytes(p, HEAD, number(float("nan"))), "not finite"),
    "infinity": (lambda p: with_bytes(p, HEAD, number(float("inf"))), "not finite"),
    "variance": (lambda p: with_bytes(p, VARIANCE, number(-1.0)), "a variance below zero"),
    "missing": (lambda p: without_tensor(p, HEAD), f"is missing tensors of its networks: {HEAD}"),
    "missing counter": (lambda p: without_tensor(p, COUNT), f"is missing tensors of its networks: {COUNT}"),
    "one more": (lambda p: with_tensor(p, "classifier.more", "F32", [1], b"\0" * 4), "networks do not have: classifier.more"),
    "of no network": (lambda p: with_tensor(p, "more\x1b[2J", "F32", [0], b""), "networks do not have: more"),
}  # fmt: skip


@pytest.mark.parametrize("fault", HOSTILE)
def test_what_a_stranger_may_send_is_refused_in_one_line(fault, own):
    make, said = HOSTILE[fault]
    make(own)
    with pytest.raises(UserError) as caught:
        read_model(own)
    message = caught.value.message
    assert message.startswith(f"{own}: ") and said in message, message
    assert message.isprintable() and len(message) < 700


def test_there_are_enough_of_them():
    assert len(HOSTILE) >= 20


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_not_opened(kind, tmp_path):
    path = put(tmp_path / "own.tada", kind)
    with pytest.raises(UserError) as caught:
        read_model(path)
    assert SAID[kind] in caught.value.message or "reached" in caught.value.message
    assert caught.value.message.startswith(f"{path}: ")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_model(tmp_path / "own.tada")


def test_any_flipped_bit_is_found(own):
    image = own.read_bytes()
    # one in the length, some in the header, some in the tensors
    for place in (0, 3, 9, 200, 2000, 20_000, len(image) // 2, len(image) - 1):
        flipped = bytearray(image)
        flipped[place] ^= 1
        own.write_bytes(flipped)
        with pytest.raises(UserError, match="own.tada"):
            read_model(own)


SMALL_MEMORY = """
import resource, sys, time
import torch
from pathlib import Path
from pipeline.errors import UserError
import pipeline.model_files.fitting, pipeline.training.networks.classifier, pipeline.training.networks.bmn
import pipeline.model_files.reading as reading
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (200 << 20),) * 2)
for name in sys.argv[1:]:
    began = time.process_time()
    try:
        reading.read_model(Path(name))
    except UserError as error:
        print(name, f"{time.process_time() - began:.2f}", error.message)
"""
LARGE = (
    "header of 3 GB", "nested", "huge shape", "200,000 classes", "a million blocks", "blocks", "width", "kernel",
    "temporal_scale", "a large map", "num_samples", "samples_per_bin", "hidden", "short_side", "batch_size",
)  # fmt: skip


def test_little_memory_and_time_are_enough_to_refuse_what_claims_much(written_file, tmp_path):
    paths = []
    for place, fault in enumerate(LARGE):
        paths.append(tmp_path / f"{place}.tada")
        paths[-1].write_bytes(written_file.read_bytes())
        HOSTILE[fault][0](paths[-1])
    # as many lists as a header can hold
    paths.append(put_together(tmp_path / "lists.tada", '{"a":[' + "[]," * 1_300_000 + "0]}", b""))
    sparse = tmp_path / "sparse.tada"  # 20 GB that take no space on a disk
    header = {"a": {"dtype": "F32", "shape": [5 * 10**9], "data_offsets": [0, 20 * 10**9]}}
    put_together(sparse, header, b"")
    os.truncate(sparse, sparse.stat().st_size + 20 * 10**9)
    paths.append(sparse)
    done = subprocess.run(
        [sys.executable, "-c", SMALL_MEMORY, *map(str, paths)],
        cwd=ROOT,
        env={**code_paths(), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths), done.stdout
    for path, line in zip(paths, lines, strict=True):
        name, seconds, said = line.split(" ", 2)
        assert name == str(path) and said.startswith(f"{path}: ")
        assert float(seconds) < 2, line
