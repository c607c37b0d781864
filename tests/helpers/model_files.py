"""Small trained models, and model files changed as a damaged disk or a hostile hand would change them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pipeline.configuration.model_content import CHECKSUM, checksum, written
from pipeline.configuration.reading import dump_config, find_config, load_config, read_config
from pipeline.prediction.model import Model
from pipeline.training.networks.classifier import untrained_classifier
from pipeline.training.networks.heads import build_head

SMALL = {
    "backbone.depth": [1, 1, 1, 1], "backbone.width": 4, "extract.short_side": 32,
    "bmn.hidden_1d": 8, "bmn.hidden_2d": 8, "bmn.hidden_3d": 8, "bmn.num_samples": 4,
    "bmn.temporal_scale": 40, "bmn.duration_scale": 20, "bmn.window_step": 20,
    "actionformer.width": 8, "actionformer.heads": 2, "actionformer.levels": 3, "actionformer.window": 5,
    "actionformer.max_length": 64,
}  # fmt: skip
RESULTS = {
    "iou": [0.5, 0.75],
    "tasks": {"mAP": {"map": [50.0, 25.0], "average": 37.5, "per_class": {"dive": [50.0, 25.0]}}},
    "average_recall": {"1": 10.0, "5": 20.0, "100": 90.0},
}
Change = Callable[[dict[str, Any]], object]


def small_model(config: str = "demo", heads=(("dive", "jump", "run"),), **settings: Any) -> Model:
    """A model of a shipped configuration, small, with random weights that are the same every time."""
    keys = {**SMALL, **{name.replace("__", "."): value for name, value in settings.items()}}
    # as a run keeps its settings, where every number has the form it is read in
    text = dump_config(load_config(find_config(config), keys, quiet=True))
    loaded = read_config(text, Path("config.yaml"), quiet=True).detection()
    torch.manual_seed(0)
    sizes = tuple(map(len, heads))
    classifier = untrained_classifier(loaded.backbone, sizes if len(sizes) == 2 else sizes[0])
    head = build_head(loaded, classifier.feature_dim, sizes)
    states = classifier.state_dict(), head.state_dict()
    return Model("own", loaded, heads, *states, results=RESULTS, note="for tests\nalone")


def parts(path: Path) -> tuple[dict[str, Any], bytes]:
    """The header of a model file, and the bytes of its tensors."""
    image = path.read_bytes()
    length = int.from_bytes(image[:8], "little")
    return json.loads(image[8 : 8 + length]), image[8 + length :]


def put_together(path: Path, header: dict[str, Any] | str, data: bytes) -> Path:
    """Write a file of a header and the bytes of tensors."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def with_header(path: Path, change: Change) -> Path:
    """Change a file's header."""
    header, data = parts(path)
    change(header)
    return put_together(path, header, data)


def with_content(path: Path, change: Change, *, seal: bool = True) -> Path:
    """Change what a file says of itself; with another checksum too, unless `seal` is false."""

    def both(header: dict[str, Any]) -> None:
        content = json.loads(header["__metadata__"]["tada_loc"])
        change(content)
        if seal:
            content[CHECKSUM] = checksum(content)
        header["__metadata__"]["tada_loc"] = written(content)

    return with_header(path, both)


def with_settings(path: Path, **values: Any) -> Path:
    """Change settings of the configuration a file holds, `section__key=value`."""

    def change(content: dict[str, Any]) -> None:
        for name, value in values.items():
            section, _, key = name.partition("__")
            content["configuration"].setdefault(section, {})[key] = value

    return with_content(path, change)


def with_bytes(path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """Change the bytes of a tensor, and its digest with them."""
    header, data = parts(path)
    begin, end = header[name]["data_offsets"]
    new = change(data[begin:end])
    put_together(path, header, data[:begin] + new + data[end:])
    digest = hashlib.sha256(new).hexdigest()
    return with_content(path, lambda content: content["sha256"].update({name: digest}))


def without_tensor(path: Path, name: str) -> Path:
    """Take a tensor out, and close the gap."""
    header, data = parts(path)
    begin, end = header.pop(name)["data_offsets"]
    for key, value in header.items():
        if key != "__metadata__" and value["data_offsets"][0] >= end:
            value["data_offsets"] = [place - (end - begin) for place in value["data_offsets"]]
    put_together(path, header, data[:begin] + data[end:])
    return with_content(path, lambda content: content["sha256"].pop(name))


def with_tensor(path: Path, name: str, kind: str, shape: list[int], new: bytes) -> Path:
    """Put a tensor behind the others."""
    header, data = parts(path)
    header[name] = {
        "dtype": kind,
        "shape": shape,
        "data_offsets": [len(data), len(data) + len(new)],
    }
    put_together(path, header, data + new)
    digest = hashlib.sha256(new).hexdigest()
    return with_content(path, lambda content: content["sha256"].update({name: digest}))
