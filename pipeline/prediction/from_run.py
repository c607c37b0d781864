"""The trained model of a run: its weights, class names and settings, if all of them belong together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.configuration.keys import restated
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations.class_names import class_names_of
from pipeline.errors import UserError
from pipeline.prediction.model import Model
from pipeline.results.figures import RESULTS, read_results
from pipeline.run_folder.identity import SHORT, field_differences, plain_fields
from pipeline.run_folder.ledger import Ledger
from pipeline.run_folder.manifests import Manifest, read_manifest
from pipeline.runs.graph import row
from pipeline.runs.inputs.contents import weights_in
from pipeline.runs.inputs.fields import made_by, setting_fields
from pipeline.runs.run import Run, run_of
from pipeline.training.checkpoints import MODEL_FILE, saved_weights


def model_of_run(folder: Path) -> Model:
    """The model that a run has trained. Its videos need not be there any more, nor its features.

    Raises UserError if it is not a run, is not trained far enough, cannot make features of a video (its features or
    its class scores came from elsewhere), or where what it holds does not belong together.
    """
    run = run_of(folder)
    config = run.detection
    _require_own(run, config)
    head = run.ways.training
    trained = {name: _trained(run, name) for name in ("finetune", head)}
    for name, manifest in trained.items():
        _require_same_settings(run, name, manifest)
    _require_same_features(run, trained)
    return Model(
        name=folder.resolve().name,
        config=config,
        heads=class_names_of(
            run.path("finetune"),
            trained["finetune"].fields.get("content.class names"),
            lambda: run.dataset.heads,
        ),
        classifier=saved_weights(run.path("finetune") / MODEL_FILE),
        detector=saved_weights(run.path(head) / MODEL_FILE),
        results=_results(run),
    )


def _require_own(run: Run, config: DetectionConfig) -> None:
    if run.has_imported_features or config.finetune.source == "features":
        raise UserError(
            f"{run.folder}: its features were imported, so features of a new video cannot be made; use a run that "
            f"extracted its own (`tada-loc finetune`, `tada-loc extract`, `tada-loc {row(run.ways.training).command}`)"
        )
    if run.ways.given_scores:
        raise UserError(
            f"{run.folder}: its classes come from {config.classify.scores} (classify.scores), which does not cover new videos; "
            "let the run's own classifier predict them: `tada-loc classify --set classify.scores=null`"
        )


def _trained(run: Run, name: str) -> Manifest:
    """The manifest of a training that came to its end. Raises UserError."""
    manifest = read_manifest(run.path(name))
    if manifest is None:
        raise UserError(
            f"{run.folder}: is not trained: {name} has not been run; run `tada-loc {row(name).command} "
            f"--run-dir {run.folder}`"
        )
    if not manifest.complete or not (run.path(name) / MODEL_FILE).is_file():
        done = manifest.progress
        far = f" (step {done.done} of {done.total})" if done is not None else ""
        raise UserError(
            f"{run.folder}: is not trained far enough: {name} is not complete{far}; resume it with `tada-loc "
            f"{row(name).command} --run-dir {run.folder}`"
        )
    return manifest


def _require_same_settings(run: Run, name: str, manifest: Manifest) -> None:
    """Refuse weights of other settings than the run's configuration has: the two do not belong together. Raises UserError."""
    sections = ("backbone.", f"{run.ways.training}.")
    wanted = _of_sections(setting_fields(run.config, row(name)), sections)
    recorded = _of_sections(restated(manifest.fields, wanted), sections)
    different = field_differences(recorded, plain_fields(wanted))
    if different:
        raise UserError(
            f"{run.folder}: {name} was trained with other settings than config.yaml has ({'; '.join(different[:3])}); "
            f"run `tada-loc {row(name).command} --run-dir {run.folder} --force`, or restore the settings"
        )


def _of_sections(fields: Mapping[str, Any], sections: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key.startswith(sections)}


def _require_same_features(run: Run, trained: Mapping[str, Manifest]) -> None:
    """Refuse a head that was trained on features of another classifier. Raises UserError.

    Where the features, or what was recorded of them, are missing, it is accepted.
    """
    head = row(run.ways.training)
    read = trained[head.name].fields.get("features of training videos")
    lines = Ledger(run.path("extract")).lines
    if not isinstance(read, dict) or not read or not lines:
        return
    weights = weights_in(run.path("finetune"), trained["finetune"])
    fields = setting_fields(run.config, row("extract")) | {"content.weights": weights}
    by = made_by(plain_fields(fields))
    known = [video for video in read if video in lines]
    if known and not any(
        lines[video].by == by and lines[video].content[:SHORT] == read[video] for video in known
    ):
        raise UserError(
            f"{run.folder}: {head.name} was trained on features of another classifier or of other extract settings; "
            f"run `tada-loc run --run-dir {run.folder}` (--force trains {head.name} again)"
        )


def _results(run: Run) -> Mapping[str, Any]:
    """The numbers of the run's evaluation, none where there is none that can be read."""
    try:
        return read_results(run.path("eval") / RESULTS, "eval")
    except UserError:
        return {}
