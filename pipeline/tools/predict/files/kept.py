"""What a model found in a video, kept whole: other thresholds and other files of it need no video again.

`raw/VIDEO.npz` in the folder of predictions: detections, proposals, curves and damaged spans, full precision.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from feature_extraction.store import feature_path
from pipeline.array_files import open_npz
from pipeline.data.features import FEATURES
from pipeline.data.videos.finding import Source
from pipeline.errors import UserError, cannot_read, was_refused
from pipeline.prediction.found import Curves, Prediction
from pipeline.prediction.model import Model
from pipeline.run_folder.files import atomic_path
from pipeline.run_folder.identity import record_of
from pipeline.run_folder.ledger import Ledger, Made, is_current

RAW = "raw"
_TIMES = ("start", "end", "score")


def raw_path(folder: Path, video: str) -> Path:
    """The file of a video in the folder of predictions."""
    return feature_path(folder / RAW, video).with_name(f"{video.rpartition('/')[2]}.npz")


def current_raw(ledger: Ledger, video: str, by: str, of: str, *, features: bool) -> Made | None:
    """What is recorded of a video in the ledger of what is kept, where that is current; `features` have to be there, too."""
    folder, line = ledger.folder.parent, ledger.get(video)
    if not of or not is_current(raw_path(folder, video), line, by, of):
        return None
    missing = features and not feature_path(folder / FEATURES, video).exists()
    return None if missing else line


def write_raw(folder: Path, found: Prediction, by: str, of: str) -> Made:
    """Keep what was found, made `by` a model and `of` a video; what is to be recorded of it.

    Raises UserError if it cannot be written.
    """
    labels = list(dict.fromkeys(found.detections["label"]))
    place = {label: i for i, label in enumerate(labels)}
    arrays = {
        "duration": np.array(found.duration),
        "damaged": np.array(found.damaged, dtype=np.float64).reshape(-1, 2),
        "labels": np.array(labels, dtype=np.str_),
        "names": np.array([found.name_of(label) for label in labels], dtype=np.str_),
        "label": found.detections["label"].map(place).to_numpy(np.int64),
        "times": found.curves.times,
        "start_curve": found.curves.start,
        "end_curve": found.curves.end,
    }
    for name, table in (("detections", found.detections), ("proposals", found.proposals)):
        arrays[name] = table[list(_TIMES)].to_numpy(np.float64)
    if "verb" in found.detections:
        arrays["pairs"] = found.detections[["verb", "noun"]].to_numpy(np.int64)
    path = raw_path(folder, found.video)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)
    file = record_of(path)
    return Made(video=found.video, by=by, of=of, file=file, content=file.sha256)


def read_raw(folder: Path, video: str, source: Source, model: Model) -> Prediction:
    """What was found in a video. Raises UserError if the file is not whole."""
    path = raw_path(folder, video)
    try:
        with open_npz(path) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _prediction(arrays, video, source, model)
    except OSError as error:
        if was_refused(error):
            raise cannot_read(path, error) from error
        raise _damaged(path, error) from error
    except (ValueError, KeyError, IndexError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def _prediction(
    arrays: dict[str, np.ndarray], video: str, source: Source, model: Model
) -> Prediction:
    labels, names = arrays["labels"].tolist(), arrays["names"].tolist()
    detections = _table(arrays["detections"], video)
    detections.insert(3, "label", [labels[i] for i in arrays["label"]])
    if "pairs" in arrays:
        detections = detections.assign(verb=arrays["pairs"][:, 0], noun=arrays["pairs"][:, 1])
    return Prediction(
        video=video,
        source=Path(source),
        duration=float(arrays["duration"]),
        detections=detections,
        proposals=_table(arrays["proposals"], video),
        curves=Curves(arrays["times"], arrays["start_curve"], arrays["end_curve"]),
        model=model.name,
        digest=model.digest,
        names={label: name for label, name in zip(labels, names, strict=True) if label != name},
        classes=model.heads[0] if len(model.heads) == 1 else (),
        damaged=tuple((float(start), float(end)) for start, end in arrays["damaged"]),
    )


def _table(rows: np.ndarray, video: str) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(_TIMES))
    table.insert(0, "video", pd.Series([video] * len(rows), dtype=object))
    return table


def _damaged(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:200]
    return UserError(f"{path}: damaged ({reason}); delete it and run the same command again")
