"""Features made elsewhere in which classes are easy to tell apart, and what comes with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.small_runs import tada

CLASSES = ("Long jump", "shot put", "swim")
TRAINING, VALIDATION = [f"t{k}" for k in range(6)], [f"v{k}" for k in range(3)]
SECONDS, CHANNELS = 20, 12
SMALL = [
    "bmn.epochs=1", "bmn.warmup_epochs=0", "bmn.batch_size=2", "bmn.hidden_1d=8", "bmn.hidden_2d=8",
    "bmn.hidden_3d=8", "bmn.num_samples=4", "bmn.temporal_scale=20", "bmn.duration_scale=10",
    "bmn.window_step=10", "finetune.epochs=40", "finetune.warmup_epochs=1", "finetune.batch_size=4",
    "finetune.base_lr=0.05", "eval.iou=[0.5,0.7]", "runtime.workers=0", "runtime.device=cpu",
    "dataset.format=activitynet", "dataset.videos=nowhere",
]  # fmt: skip
# The other head, small, which learns these features in a few seconds.
ACTIONFORMER = [
    "detector.name=actionformer", "actionformer.width=16", "actionformer.heads=2", "actionformer.levels=3",
    "actionformer.max_length=24", "actionformer.window=5", "actionformer.embedding_layers=1",
    "actionformer.stem_layers=1", "actionformer.head_layers=2", "actionformer.epochs=25",
    "actionformer.warmup_epochs=1", "actionformer.base_lr=0.01", "actionformer.batch_size=2",
    "actionformer.ema_decay=0.8", "actionformer.loss_normalizer=10",
]  # fmt: skip


def make_data(folder: Path) -> Path:
    """`annotations.json`, and a feature per second of each video in `features`; a video has one class."""
    rng = np.random.default_rng(0)
    basis, database = 3 * rng.normal(size=(len(CLASSES), CHANNELS)), {}
    (folder / "features").mkdir(parents=True)
    for number, video in enumerate([*TRAINING, *VALIDATION]):
        label, spans = number % len(CLASSES), [(2.0, 7.0), (10.0, 14.0)]
        features = rng.normal(size=(SECONDS, CHANNELS)) / 4
        for start, end in spans:
            features[int(start) : int(end)] += basis[label]
        rows = [{"segment": list(span), "label": CLASSES[label]} for span in spans]
        subset = "training" if video in TRAINING else "validation"
        database[video] = {"subset": subset, "duration": float(SECONDS), "annotations": rows}
        np.save(folder / "features" / f"{video}.npy", features.astype(np.float32))
    (folder / "annotations.json").write_text(json.dumps({"database": database}))
    return folder


def truth(data: Path) -> dict[str, list[dict]]:
    """The annotated segments of each video."""
    database = json.loads((data / "annotations.json").read_text())["database"]
    return {video: entry["annotations"] for video, entry in database.items()}


def write_scores(data: Path, **more: object) -> Path:
    """A file of class scores that are right, in the form of ActivityNet's classifiers."""
    results = {
        video: [0.9 if name == rows[0]["label"] else 0.05 for name in CLASSES]
        for video, rows in truth(data).items()
    }
    path = data / "scores.json"
    path.write_text(json.dumps({"results": {**results, **more}, "class": list(CLASSES)}))
    return path


def write_pairs(data: Path) -> tuple[str, ...]:
    """The annotations in EPIC-KITCHENS-100's form, each class a verb and a noun; the keys that read them."""
    verbs, nouns = ["take", "put"], ["tap", "spoon", "plate"]
    pairs = {"Long jump": (0, 2), "shot put": (1, 0), "swim": (0, 1)}
    for name, names in (("verbs", verbs), ("nouns", nouns)):
        rows = "".join(f"{number},{key},x\n" for number, key in enumerate(names))
        (data / f"{name}.csv").write_text("id,key,instances\n" + rows)
    head = "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
    for subset, ids in (("train", TRAINING), ("val", VALIDATION)):
        text = "".join(
            f"{v},00:00:{one['segment'][0]:05.2f},00:00:{one['segment'][1]:05.2f},"
            f"{pairs[one['label']][0]},{pairs[one['label']][1]}\n"
            for v in ids
            for one in truth(data)[v]
        )
        (data / f"{subset}.csv").write_text(head + text)
    return (
        "dataset.format=epic_kitchens",
        f"dataset.annotations=[{data / 'train.csv'}, {data / 'val.csv'}]",
        f"dataset.classes=[{data / 'verbs.csv'}, {data / 'nouns.csv'}]",
    )


def options(data: Path, run: Path, *extra: str) -> list[str]:
    """What every command on a run takes."""
    result = ["--config", "demo", "--run-dir", str(run)]
    own = [f"dataset.annotations={data / 'annotations.json'}"]
    for assignment in [*own, *SMALL, *extra]:
        result += ["--set", assignment]
    return result


def take(data: Path, run: Path, *extra: str):
    """Import the features."""
    source = ["--from", str(data / "features"), "--fps", "10", "--stride", "10"]
    return tada("import-features", *options(data, run, *extra), *source)


def right_proposals(data: Path):
    """In place of BMN's proposals: every segment as annotated, and one beside them with a lower score."""
    segments = truth(data)

    def propose(model, source, video, *others):
        rows = [(video, *one["segment"], 0.8) for one in segments[video]] + [(video, 15, 19, 0.1)]
        return pd.DataFrame(rows, columns=["video", "start", "end", "score"])

    return propose
