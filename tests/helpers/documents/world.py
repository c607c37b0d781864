"""The folder that the commands of documents are run in: drawn videos, their table, and small finished runs.

Its configuration is the one `tada-loc init` writes, made tiny: SMALL says how. A command that names a
shipped configuration (`small`, `demo`) gets the same settings before its own.
"""

from __future__ import annotations

import json
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import torch
import yaml
from click.testing import CliRunner

import tada_loc
from actionformer import from_public_config
from pipeline.cli.commands import main
from pipeline.configuration.reading import parse_overrides
from pipeline.configuration.yaml_text import read_yaml, write_yaml
from pipeline.demo.dataset import make_dataset

# Another network, less of a picture, and a handful of steps; nothing else differs from what a user has.
SMALL = [
    "backbone.width=4", "finetune.epochs=1", "finetune.min_steps=0", "finetune.warmup_epochs=0",
    "finetune.batch_size=4", "finetune.short_side=[32,36]", "finetune.eval_short_side=32",
    "extract.short_side=32", "bmn.epochs=1", "bmn.min_steps=0", "bmn.warmup_epochs=0", "bmn.batch_size=2",
    "bmn.hidden_1d=8", "bmn.hidden_2d=8", "bmn.hidden_3d=8", "bmn.num_samples=4",
    "actionformer.epochs=2", "actionformer.min_steps=0", "actionformer.width=16", "actionformer.warmup_epochs=1",
]  # fmt: skip
HERE = ["runtime.device=cpu", "runtime.workers=0"]
CONFIG, TABLE = "tada-loc.yaml", "own.csv"
PUBLIC = {"dataset": {"input_dim": 16, "num_classes": 3, "max_seq_len": 64},
          "model": {"embd_dim": 8, "fpn_dim": 8, "head_dim": 8, "n_head": 2}}  # fmt: skip


def tada(*words: str) -> str:
    """A command that has to work, in this process; what it printed."""
    result = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert result.exit_code == 0, f"{' '.join(words)}\n{result.output}"
    return result.output


def shrink(config: Path) -> None:
    """Make a configuration that `init` wrote tiny, and for this machine."""
    data: dict[str, Any] = read_yaml(config.read_text())
    for key, value in parse_overrides([*SMALL, *HERE]).items():
        section, name = key.split(".")
        data.setdefault(section, {})[name] = value
    config.write_text(write_yaml(data, sort_keys=False))


def make_world(folder: Path) -> None:
    """Fill an empty folder, which is the working folder: ten seconds of work, once for all pages."""
    _draw_videos(folder)
    tada("init", "videos", TABLE, "--for", "cpu", "--workers", "0")
    shrink(folder / CONFIG)
    _finish_runs()
    _give_files(folder)


def _draw_videos(folder: Path) -> None:
    """videos/v00..v05.mp4 with own.csv (v04 and v05 validate), new/ with new.csv, and match.mp4."""
    drawn = [f"training_{i:03d}" for i in range(4)] + [f"validation_{i:03d}" for i in range(2)]
    names = {name: f"v{i:02d}" for i, name in enumerate(drawn)}
    _draw(folder / "videos", folder / TABLE, names, seed=0)
    _draw(folder / "new", folder / "new.csv", {"training_000": "kitchen_11", "validation_000": "kitchen_12"}, seed=1)  # fmt: skip
    _draw(folder / "match", folder / "match.csv", {"validation_000": "match"}, seed=2)
    shutil.move("match/match.mp4", "match.mp4")
    shutil.rmtree("match")
    Path("match.csv").unlink()


def _draw(videos: Path, table: Path, names: dict[str, str], *, seed: int) -> None:
    """The demo's videos under other names, with two classes in place of its six: there are few videos."""
    counts = [sum(name.startswith(kind) for name in names) for kind in ("training", "validation")]
    drawn = Path("drawn")
    make_dataset(drawn, seed=seed, train_videos=counts[0], val_videos=counts[1], seconds=10.0, workers=1)  # fmt: skip
    videos.mkdir()
    for name, new in names.items():
        shutil.move(drawn / "videos" / f"{name}.mp4", videos / f"{new}.mp4")
    rows = pd.read_csv(drawn / "annotations.csv")
    rows["video"] = rows["video"].map(names)
    rows["label"] = np.where(np.arange(len(rows)) % 2, "pour", "stir")
    rows.to_csv(table, index=False)
    shutil.rmtree(drawn)


def _finish_runs() -> None:
    """Runs with each head, features of one taken out and in again, the demo's run, a model file."""
    tada("run", "--config", CONFIG, "--run-dir", "runs/own")
    tada("run", "--config", CONFIG, "--run-dir", "runs/bmn", "detector.name=bmn")
    tada("export-features", "--run-dir", "runs/own", "--to", "exported")
    grid = json.loads(Path("exported/grid.json").read_text())
    shutil.copytree("exported", "features")
    clips = ("--fps", f"{grid['fps']:g}", "--stride", str(grid["stride"]))
    tada("import-features", "--config", CONFIG, "--run-dir", "runs/imported", "--from", "features", *clips)  # fmt: skip
    tada("export", "--run-dir", "runs/own", "--to", "own.tada")
    tada("demo", *[word for text in [*SMALL, *HERE] for word in ("--set", text)])


def _give_files(folder: Path) -> None:
    """Annotations, results and class scores in the forms that others write, and a public checkpoint."""
    tada_loc.Run("runs/own").detections.to_activitynet("result.json")
    shutil.copy("result.json", "found.json")
    shutil.copy("runs/own/actionformer/detections/detections.csv", "found.csv")
    tada("convert", TABLE, "--to", "truth.json", "--videos", "videos")
    rows = pd.read_csv(TABLE)
    (folder / "export.json").write_text(json.dumps(_label_studio(rows)))
    (folder / "labels").mkdir()
    for video, part in rows.groupby("video"):  # Audacity's label tracks
        part[["start", "end", "label"]].to_csv(f"labels/{video}.txt", sep="\t", header=False, index=False)  # fmt: skip
    (folder / "TH14_annotations").mkdir()
    for name, subset in (("val", "validation"), ("test", "test")):
        line = f"video_{subset}_0000051 1.5 4.5\n"
        (folder / "TH14_annotations" / f"Diving_{name}.txt").write_text(line)
    one = pd.DataFrame({"video": sorted(set(rows["video"])), "label": "pour", "score": 0.7})
    pd.concat([one, one.assign(label="stir", score=0.3)]).to_csv("scores.csv", index=False)
    (folder / "list.txt").write_text("match.mp4\n")
    (folder / "more" / "monday").mkdir(parents=True)
    shutil.copy("match.mp4", "more/monday/kitchen_13.mp4")
    _write_frames(folder / "frames" / "P01_01")
    (folder / "LICENSE").write_text("For research only.\n")
    (folder / "VIDEO.pkl").write_bytes(pickle.dumps(np.zeros((25, 8), np.float32)))
    _give_thumos14(folder)


def _give_thumos14(folder: Path) -> None:
    """What the public code of ActionFormer and others' pages have of THUMOS14, tiny."""
    torch.manual_seed(0)
    (folder / "thumos_i3d.yaml").write_text(yaml.safe_dump(PUBLIC))
    state = from_public_config(PUBLIC).state_dict()
    torch.save({"state_dict_ema": {f"module.{k}": v for k, v in state.items()}}, "epoch_034.pth.tar")  # fmt: skip
    video = "video_test_0000004"
    segments = [{"segment": [1.5, 4.5], "label": "Diving", "label_id": 0},
                {"segment": [6.0, 8.0], "label": "Billiards", "label_id": 1}]  # fmt: skip
    database = {video: {"subset": "Test", "duration": 10.0, "fps": 30.0, "annotations": segments}}
    (folder / "thumos14.json").write_text(json.dumps({"database": database}))
    found = {"video-id": [video], "t-start": [1.5], "t-end": [4.5], "label": [0], "score": [0.9]}
    (folder / "eval_results.pkl").write_bytes(pickle.dumps(found))
    scores = {video: np.array([0.7, 0.3])}
    (folder / "thumos14_cls_scores.pkl").write_bytes(pickle.dumps(scores))
    for path in ("tsn_gtad_stride1_thumos", "data/thumos14"):
        (folder / path).mkdir(parents=True)
    np.save(f"tsn_gtad_stride1_thumos/{video}.npy", np.zeros((60, 8), np.float32))
    np.save("data/thumos14/uNet_test.npy", np.full((4, 101), 1 / 101, np.float32))


def _write_frames(folder: Path) -> None:
    """The first four seconds of match.mp4 as numbered pictures."""
    folder.mkdir(parents=True)
    with av.open("match.mp4") as container:
        for number, frame in enumerate(container.decode(video=0), 1):
            if number <= 60:
                frame.to_image().save(folder / f"img_{number:05d}.jpg")


def _label_studio(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The segments as an export of Label Studio, which counts frames from 1, here at 15 a second."""
    tasks = []
    for number, (video, part) in enumerate(rows.groupby("video"), 1):
        result = [
            {"type": "timelinelabels", "from_name": "label", "to_name": "video",
             "value": {"ranges": [{"start": round(start * 15) + 1, "end": round(end * 15)}],
                       "timelinelabels": [label]}}
            for start, end, label in part[["start", "end", "label"]].itertuples(index=False)
        ]  # fmt: skip
        tasks.append({"id": number, "data": {"video": f"/data/upload/1/0123abcd-{video}.mp4", "fps": 15},
                      "annotations": [{"id": number, "result": result}]})  # fmt: skip
    return tasks


def copy_world(world: Path, folder: Path, text: str) -> None:
    """The world for a page of this text, in an empty folder.

    Of the runs only those that the page names are there: commands without --run-dir take the only one.
    """
    for path in world.iterdir():
        if path.name == "runs":
            for run in path.iterdir():
                if re.search(rf"runs/{re.escape(run.name)}\b", text):
                    shutil.copytree(run, folder / "runs" / run.name)
        elif path.is_dir():
            shutil.copytree(path, folder / path.name)
        else:
            shutil.copy2(path, folder / path.name)
