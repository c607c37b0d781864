"""What each stage's outputs depend on: settings, annotation rows, videos and what other stages made, by content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.configuration.keys import default_fields, result_fields
from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.configuration.settings import Config, DetectionConfig
from pipeline.data.annotations import training_rows
from pipeline.data.annotations.class_names import heads_digest
from pipeline.data.features.imported import require_imported
from pipeline.data.hold_out import chooses_epoch
from pipeline.data.inputs import rows_by_video
from pipeline.data.proxies.form import made_by as form_of_proxies
from pipeline.run_folder.identity import SHORT, UNKNOWN, UNSURE, fingerprint
from pipeline.runs.graph import VIEWED, StageRow
from pipeline.runs.inputs.asking import Digests, Facts
from pipeline.runs.inputs.initial import initial_fields
from pipeline.runs.ways import Ways, in_order, ways_of

# Of what extraction depends on, what says nothing of a clip decoded at a proposal: there is no grid, and
# how it is computed is left free.
_NOT_DECODED = ("extract.stride", "extract.offset_frames", "extract.decoder", "extract.compile")
# Of the network's settings, what a linear classifier on features has.
_OF_HEAD = ("backbone.dropout",)
# Fields with what was read of the features of each video.
FEATURES_READ = ("features of training videos", "features of evaluation videos", "videos")
TRAINED_ON = "training videos"  # of fine-tuning: which video each was
VIDEOS = "videos"  # the field with a digest per video, of a stage that leaves a file per video
# Of `classify`, what works on scores that are there; what they are made of is reported by video.
_FUSED = (
    "content.proposals",
    "classify.top",
    "classify.top_verbs",
    "classify.top_nouns",
    "classify.pairs",
)


def stage_fields(facts: Facts, stage: StageRow) -> dict[str, Any]:
    """The fields of a stage: its settings and, by content, what it reads.

    Raises UserError if a file cannot be read.
    """
    return setting_fields(facts.config, stage) | _INPUTS[stage.name](facts)


def setting_fields(config: Config, stage: StageRow) -> dict[str, Any]:
    """The settings of a stage alone. Raises UserError if the configuration lacks a section."""
    fields: dict[str, Any] = {}
    for section in stage.settings:
        fields |= result_fields(section, config.section(section))
    if (
        stage.name == "finetune" and config.finetune.source == "features"
    ):  # of the network, its head
        fields = {k: v for k, v in fields.items() if not k.startswith("backbone.") or k in _OF_HEAD}
    if stage.name in {"bmn", "actionformer"} and config.dataset.hold_out:
        own, seed = fields[f"{stage.name}.seed"], config.finetune.seed
        fields |= {} if seed == own else {"finetune.seed": seed}  # it picks the videos
    if stage.name == "classify":
        fields |= _decoded_at_proposals(config.detection())
    return fields


def deciding_fields(config: Config) -> dict[str, Any]:
    """Every setting that decides a run's results."""
    fields: dict[str, Any] = {"backbone.pretrained": config.backbone.pretrained}
    for stage in in_order(ways_of(config, imported=False)):
        fields |= setting_fields(config, stage)
    return fields


def made_by(fields: Mapping[str, Any]) -> str:
    """What all videos of a stage are made by: its fields but for the videos, those left at defaults aside.

    So a key that a later program adds changes nothing while it is at its default.
    """
    defaults = default_fields()
    aside = {VIDEOS, *_FUSED}
    return fingerprint(
        {
            key: value
            for key, value in fields.items()
            if key not in aside and not (key in defaults and defaults[key] == value)
        }
    )


def _ways(facts: Facts) -> Ways:
    return ways_of(facts.config, imported=facts.is_imported)


def _finetune(facts: Facts) -> dict[str, Any]:
    config, dataset = facts.config, facts.dataset
    fields: dict[str, Any] = {"content.class names": heads_digest(dataset.heads)}
    if config.finetune.source == "features":
        require_imported(imported=facts.is_imported)
        return fields | _segments_with_features(facts, config.finetune)
    for name, subset in _subsets(config, config.finetune).items():
        rows, _ = training_rows(dataset, subset)
        rows = rows[rows["video"].isin(list(facts.identities))]
        fields[f"{name} segments"] = rows_by_video(rows)
        fields[f"{name} videos"] = short(
            {video: facts.identities[video] for video in rows["video"].unique()}
        )
    if config.finetune.proxies is not None:
        fields["content.form of proxies"] = form_of_proxies(config.finetune.proxies)
    return fields | initial_fields(config.backbone, facts.folder)


def _subsets(config: Config, training: OptimisationSettings) -> dict[str, str]:
    """The subsets whose segments decide a training's weights, by what they do."""
    subsets = {"training": config.dataset.train_subset}
    if chooses_epoch(training) and not config.dataset.hold_out:
        subsets["evaluation"] = config.dataset.eval_subset
    return subsets


def _segments_with_features(facts: Facts, training: OptimisationSettings) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, subset in _subsets(facts.config, training).items():
        rows, _ = training_rows(facts.dataset, subset)
        made = facts.features(list(rows["video"].unique()))
        fields[f"{name} segments"] = rows_by_video(rows[rows["video"].isin(list(made))])
        fields[f"features of {name} videos"] = made
    return fields


def _extract(facts: Facts) -> dict[str, Any]:
    return {"content.weights": facts.weights("finetune")}


def _bmn(facts: Facts) -> dict[str, Any]:
    return _segments_with_features(facts, facts.config.detection().bmn)


def _proposals(facts: Facts) -> dict[str, Any]:
    return _of_head(facts, "bmn")


def _of_head(facts: Facts, training: str) -> dict[str, Any]:
    config = facts.config.detection()
    videos = facts.dataset.video_ids(config.dataset.eval_subset)
    return result_fields(training, config.section(training)) | {
        "content.weights": facts.weights(training),
        VIDEOS: facts.features(videos),
    }


def _actionformer(facts: Facts) -> dict[str, Any]:
    settings = facts.config.detection().actionformer
    names = {"content.class names": heads_digest(facts.dataset.heads)}
    own = settings.classes == "own"
    return _segments_with_features(facts, settings) | (names if own else {})


def _segments(facts: Facts) -> dict[str, Any]:
    return _of_head(facts, "actionformer")


def _detections(facts: Facts) -> dict[str, Any]:
    names = {"content.class names": heads_digest(facts.dataset.heads)}
    return _of_head(facts, "actionformer") | names


def _classify(facts: Facts) -> dict[str, Any]:
    config = facts.config.detection()
    videos = facts.dataset.video_ids(config.dataset.eval_subset)
    found = _ways(facts).proposing
    proposals = facts.parts(found, videos)
    given = config.classify.scores is not None
    if given:
        shown = facts.given_scores()
    elif config.classify.decodes:
        shown = facts.identities
    else:
        shown = facts.features(list(proposals))
    of = {v: _made_of(part, shown.get(v)) for v, part in proposals.items()}
    by = {"classes named by": "classify.scores"}
    return (by if given else {"content.weights": facts.weights("finetune")}) | {
        "content.class names": heads_digest(facts.dataset.heads),
        "content.proposals": facts.output(found, "proposals.csv"),
        VIDEOS: short(of),
    }


def _eval(facts: Facts) -> dict[str, Any]:
    subset, ways = facts.config.dataset.eval_subset, _ways(facts)
    scores = None if ways.own_classes else facts.config.detection().classify.scores
    return {
        "evaluation segments": rows_by_video(facts.dataset.all_rows(subset)),  # as annotated
        "content.videos": fingerprint({"videos": sorted(facts.dataset.video_ids(subset))}),
        "content.class names": heads_digest(facts.dataset.heads),
        "content.proposals": facts.output(ways.proposing, "proposals.csv"),
        "content.detections": facts.output(ways.detecting, "detections.csv"),
        # what the official result file declares of other data
        "declared initial weights": facts.config.backbone.begins_with or "",
    } | ({"declared class scores": scores.name} if scores is not None else {})


def _eval_classifier(facts: Facts) -> dict[str, Any]:
    subset = facts.config.dataset.eval_subset
    rows = facts.dataset.rows(subset)
    rows = rows[(rows["end"] > rows["start"]) & rows["video"].isin(list(facts.identities))]
    videos = {video: facts.identities[video] for video in rows["video"].unique()}
    return {
        "content.weights": facts.weights("finetune"),
        "content.class names": heads_digest(facts.dataset.heads),
        "evaluation segments": rows_by_video(rows),
        "evaluation videos": short(videos),
        **{f"finetune.{key}": getattr(facts.config.finetune, key) for key in VIEWED},
    }


_INPUTS: Mapping[str, Callable[[Facts], dict[str, Any]]] = {
    "finetune": _finetune,
    "extract": _extract,
    "bmn": _bmn,
    "proposals": _proposals,
    "actionformer": _actionformer,
    "segments": _segments,
    "detections": _detections,
    "classify": _classify,
    "eval": _eval,
    "eval-classifier": _eval_classifier,
}


def _made_of(*inputs: str | None) -> str:
    open_ones = [value for value in (UNKNOWN, UNSURE) if value in inputs]
    return open_ones[0] if open_ones else fingerprint({"of": inputs})


def short(digests: Digests) -> dict[str, str]:
    """Digests by video, short: many of them are in one manifest."""
    return {video: digest[:SHORT] for video, digest in digests.items()}


def _decoded_at_proposals(config: DetectionConfig) -> dict[str, Any]:
    """What clips decoded at proposals look like, where they are decoded."""
    if not config.classify.decodes:
        return {}
    fields = result_fields("extract", config.extract)
    return {key: value for key, value in fields.items() if key not in _NOT_DECODED}
