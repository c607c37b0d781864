"""The shipped configurations of ActionFormer from features and annotations in their data sets' form to figures."""

from __future__ import annotations

import csv
import json

import numpy as np
from helpers.small_runs import error_line, tada

SMALL = (
    "actionformer.width=16", "actionformer.head_width=16", "actionformer.heads=2", "actionformer.levels=3",
    "actionformer.ranges=[[0, 4], [4, 8], [8, 10000]]", "actionformer.window=5", "actionformer.embedding_layers=1",
    "actionformer.stem_layers=1", "actionformer.head_layers=2", "actionformer.max_length=32", "actionformer.epochs=20",
    "actionformer.warmup_epochs=1", "actionformer.base_lr=0.01", "actionformer.batch_size=4",
    "actionformer.base_batch=4", "actionformer.ema_decay=0.8", "actionformer.loss_normalizer=20",
    "finetune.epochs=20", "finetune.warmup_epochs=1", "finetune.batch_size=4", "finetune.base_batch=4",
    "finetune.base_lr=0.05", "runtime.workers=0", "runtime.device=cpu",
)  # fmt: skip
THUMOS = (
    "BaseballPitch", "BasketballDunk", "Billiards", "CleanAndJerk", "CliffDiving", "CricketBowling", "CricketShot",
    "Diving", "FrisbeeCatch", "GolfSwing", "HammerThrow", "HighJump", "JavelinThrow", "LongJump", "PoleVault", "Shotput",
    "SoccerPenalty", "TennisSwing", "ThrowDiscus", "VolleyballSpiking",
)  # fmt: skip
POSITIONS, CHANNELS = 48, 24


class Drawn:
    """Videos of 48 positions, two segments of one class in each, and features in which the classes are plain."""

    def __init__(self, folder, classes, step, videos):
        """step: seconds of a position. videos: (name, subset) pairs; they take the classes in turn."""
        self.folder, self.classes, self.step, self.videos = folder, classes, step, videos
        rng = np.random.default_rng(0)
        basis = 3 * rng.normal(size=(len(classes), CHANNELS))
        (folder / "features").mkdir()
        self.labels, self.spans = {}, {}
        for number, (video, _) in enumerate(videos):
            label, first = number % len(classes), int(rng.integers(3, 8))
            spans = [(first, first + 7), (first + 20, first + 29)]
            rows = rng.normal(size=(POSITIONS, CHANNELS)) / 4
            for start, end in spans:
                rows[start:end] += basis[label]
            np.save(folder / f"features/{video}.npy", rows.astype(np.float32))
            self.labels[video] = label
            self.spans[video] = [(start * step, end * step) for start, end in spans]

    def database(self, **form):
        """ActivityNet's form; `form`: what a video's entry has besides."""
        return {
            video: {
                "subset": subset,
                "duration": POSITIONS * self.step,
                "annotations": [
                    {"segment": list(span), "label": self.classes[self.labels[video]]}
                    for span in self.spans[video]
                ],
                **form,
            }
            for video, subset in self.videos
        }

    def write(self, name, content):
        path = self.folder / name
        path.write_text(json.dumps(content))
        return path


def run_of(drawn, config, stated, *keys):
    """Import, detect and evaluate; what the last said, and the figures by task."""
    run = drawn.folder / "run"
    common = ["--config", config, "--run-dir", str(run)]
    for key in (*SMALL, *keys):
        common += ["--set", key]
    taken = tada("import-features", *common, "--from", str(drawn.folder / "features"), *stated)
    assert taken.exit_code == 0, taken.output
    for command in ("detect", "eval"):
        result = tada(command, *common)
        assert result.exit_code == 0, result.output
    tasks = json.loads((run / "eval/results.json").read_text())["tasks"]
    return result.output, {name: task["average"] for name, task in tasks.items()}, common


def test_thumos14(tmp_path):
    """Its 20 classes, its names of subsets, its features' rate, and a video that is left out."""
    names = [(f"video_validation_{k:07}", "Validation") for k in range(20)]
    names += [(f"video_test_{k:07}", "Test") for k in range(20)]
    names += [("video_test_0000270", "Test")]  # wrongly annotated, as the configuration says
    drawn = Drawn(tmp_path, THUMOS, 4 / 30, names)
    file = drawn.write(
        "thumos14.json", {"version": "Thumos14-30fps", "database": drawn.database(fps=30.0)}
    )
    stated = ("--fps", "30", "--stride", "4", "--frames", "16", "--interval", "1")
    said, figures, common = run_of(drawn, "thumos14", stated, f"dataset.annotations={file}")
    assert figures["mAP"] > 60 and "@0.3" in said and "@0.7" in said
    assert "ActionFormer, I3D features" in said and "66.83" in said
    found = (tmp_path / "run/actionformer/detections/detections.csv").read_text()
    assert "video_test_0000019" in found and "video_test_0000270" not in found
    listed = tada("status", *common).output
    assert listed.count(" complete ") == 4 and "classify" not in listed


def test_activitynet(tmp_path):
    """Segments of no class on rescaled videos; a file names the classes."""
    classes = ("Archery", "Polo", "Surfing")
    names = [(f"v{k:011}", "training") for k in range(9)] + [
        (f"w{k:011}", "validation") for k in range(6)
    ]
    drawn = Drawn(tmp_path, classes, 16 / 15, names)
    file = drawn.write("anet.json", {"database": drawn.database()})
    scores = {
        video: [0.9 if k == label else 0.05 for k in range(3)]
        for video, label in drawn.labels.items()
    }
    scores = drawn.write("cuhk.json", {"results": scores, "class": list(classes)})
    stated = ("--fps", "15", "--stride", "16", "--frames", "16", "--interval", "1")
    keys = (
        f"dataset.annotations={file}",
        f"classify.scores={scores}",
        "actionformer.window=[5, 5, 0]",
    )
    said, figures, _ = run_of(drawn, "activitynet", stated, *keys)
    assert figures["mAP"] > 40
    assert "published figures are not shown" in said, "three classes are not ActivityNet's"
    assert (tmp_path / "run/actionformer/proposals/proposals.csv").is_file()


def test_activitynet_says_what_is_missing_without_classes(tmp_path):
    names = [(f"v{k}", "training") for k in range(4)] + [("w0", "validation")]
    drawn = Drawn(tmp_path, ("Archery", "Polo"), 16 / 15, names)
    file = drawn.write("anet.json", {"database": drawn.database()})
    common = ["--config", "activitynet", "--run-dir", str(tmp_path / "run")]
    for key in (*SMALL, f"dataset.annotations={file}", "actionformer.epochs=2"):
        common += ["--set", key]
    stated = ("--fps", "15", "--stride", "16", "--frames", "16", "--interval", "1")
    assert (
        tada("import-features", *common, "--from", str(tmp_path / "features"), *stated).exit_code
        == 0
    )
    done = tada("detect", *common)
    assert done.exit_code == 0 and "AR@" in done.output and "classify.scores=FILE" in done.output
    assert "classify.scores=FILE" in error_line(tada("eval", *common))


def test_hacs_actionformer(tmp_path):
    """Segments of no class; a linear classifier on the same features names them."""
    classes = ("Archery", "Polo", "Surfing")
    names = [(f"v{k}", "training") for k in range(9)] + [(f"w{k}", "validation") for k in range(6)]
    drawn = Drawn(tmp_path, classes, 16 / 30, names)
    file = drawn.write("hacs.json", {"database": drawn.database()})
    stated = ("--fps", "30", "--stride", "16")
    keys = (
        f"dataset.annotations={file}",
        "finetune.source=features",
        "actionformer.window=[5, 5, 0]",
    )
    run = tmp_path / "run"
    common = ["--config", "hacs_actionformer", "--run-dir", str(run)]
    for key in (*SMALL, *keys):
        common += ["--set", key]
    assert (
        tada("import-features", *common, "--from", str(tmp_path / "features"), *stated).exit_code
        == 0
    )
    result = tada("run", *common)
    assert result.exit_code == 0, result.output
    figures = json.loads((run / "eval/results.json").read_text())["tasks"]
    assert figures["mAP"]["average"] > 20


def test_ek100_actionformer(tmp_path):
    """Verbs and nouns by a network each, four clips a position."""
    pairs = (("take", "tap"), ("put", "spoon"), ("take", "plate"))
    names = [(f"P01_{k:02}", "train") for k in range(1, 10)] + [
        (f"P02_{k:02}", "val") for k in range(1, 7)
    ]
    drawn = Drawn(tmp_path, pairs, 8 / 15, names)
    for video, _ in names:  # four clips a position
        path = tmp_path / f"features/{video}.npy"
        np.save(path, np.repeat(np.load(path), 4, axis=0))
    verbs, nouns = ["take", "put"], ["tap", "spoon", "plate"]
    for name, words in (("verbs", verbs), ("nouns", nouns)):
        rows = "".join(f"{number},{word},x\n" for number, word in enumerate(words))
        (tmp_path / f"{name}.csv").write_text("id,key,instances\n" + rows)
    for subset in ("train", "val"):
        with open(tmp_path / f"{subset}.csv", "w", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(
                ["video_id", "start_timestamp", "stop_timestamp", "verb_class", "noun_class"]
            )
            for video in (video for video, part in names if part == subset):
                verb, noun = pairs[drawn.labels[video]]
                for start, end in drawn.spans[video]:
                    times = [f"00:00:{second:05.2f}" for second in (start, end)]
                    table.writerow([video, *times, verbs.index(verb), nouns.index(noun)])
    keys = (
        f"dataset.annotations=[{tmp_path / 'train.csv'}, {tmp_path / 'val.csv'}]",
        f"dataset.classes=[{tmp_path / 'verbs.csv'}, {tmp_path / 'nouns.csv'}]",
        "dataset.video_info=null",
    )
    _, figures, common = run_of(
        drawn, "ek100_actionformer", ("--fps", "60", "--stride", "8"), *keys
    )
    assert figures.keys() == {"action", "verb", "noun"} and min(figures.values()) > 40
    history = json.loads((tmp_path / "run/actionformer/history.json").read_text())
    assert {"verb_classification", "noun_classification"} <= history[0].keys(), "a network each"
    assert tada("verify", *common).exit_code == 0
