"""Another valid value of every settings key, and which stage it makes stale first."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from truth.change import Change
from truth.world import World


@dataclass(frozen=True)
class Key:
    """Another value of a key; `first`: the stage that it makes stale, "" for none.

    `outcome`, where it is not what follows from `first`; `needs`: what has to be done besides.
    """

    value: str
    first: str = ""
    outcome: str = ""
    needs: Callable[[World], object] | None = None


def _copied_table(world: World) -> None:
    shutil.copy(world.table, world.data / "copy.csv")
    world.settings["dataset.annotations"] = str(world.data / "copy.csv")


def _copied_videos(world: World) -> None:
    shutil.copytree(world.videos, world.data / "copy")
    world.settings["dataset.videos"] = str(world.data / "copy")


def _cache(world: World) -> None:
    world.settings["dataset.cache"] = str(world.data / "cache")


def _class_names(world: World) -> None:
    path = world.data / "classes.txt"
    path.write_text("grow\nshrink\nslide left\n")
    world.settings["dataset.classes"] = str(path)


def _video_info(world: World) -> None:
    shutil.copy(world.table, world.data / "info.csv")
    world.settings["dataset.video_info"] = str(world.data / "info.csv")


def _weights(world: World) -> None:
    made = world.template("plain") / "run" / "finetune" / "model.pt"
    shutil.copy(made, world.data / "initial.pt")
    world.settings["backbone.pretrained"] = str(world.data / "initial.pt")


def _empty_skip(world: World) -> None:
    path = world.data / "skip.txt"
    path.write_text("# none\n")
    world.settings["runtime.skip"] = str(path)


def _scores(world: World) -> None:
    world.settings["classify.scores"] = str(world.data / "scores.csv")


KEYS = {
    "dataset.name": Key("another"),
    "dataset.format": Key("activitynet", outcome="refused"),
    "dataset.annotations": Key("", needs=_copied_table),
    "dataset.videos": Key("", needs=_copied_videos),
    "dataset.cache": Key("", needs=_cache),
    "dataset.cache_size": Key("0.5"),
    "dataset.proxies": Key("elsewhere"),  # none are read
    "dataset.video_info": Key("", needs=_video_info),  # of EPIC-KITCHENS alone
    "dataset.annotation_fps": Key("15", outcome="refused"),  # the table's times are seconds
    "dataset.frame_fps": Key("30"),  # no video is a folder of frames
    "dataset.frames": Key("img_%05d.jpg"),
    "dataset.classes": Key("", needs=_class_names),
    "dataset.train_subset": Key("nothing", outcome="refused"),
    "dataset.eval_subset": Key("nothing", outcome="refused"),
    "dataset.exclude_videos": Key(
        "[nothing]"
    ),  # what it leaves out is among the changes of the table
    "dataset.allow_beyond": Key("0"),  # no segment is beyond its video's end
    "dataset.hold_out": Key("0.4", outcome="refused"),  # nothing is chosen by them
    "backbone.name": Key("tsn", "finetune"),
    "backbone.depth": Key("[1,1,1,2]", "finetune"),
    "backbone.width": Key("8", "finetune"),
    "backbone.dropout": Key("0.5", "finetune"),
    "backbone.reduction": Key("2", "finetune"),
    "backbone.kernels": Key("[1, 3]", "finetune"),
    "backbone.global_context": Key("false", "finetune"),
    "backbone.calibrate": Key("out", "finetune"),
    "backbone.proportion": Key("0.5", "finetune"),
    "backbone.tada_stages": Key("[4, 5]", "finetune"),
    "backbone.aggregation": Key("maximum", "finetune"),
    "backbone.pool_kernel": Key("5", "finetune"),
    "backbone.shortcut": Key("false", "finetune"),
    "backbone.separate_norms": Key("false", "finetune"),
    "backbone.mean": Key("[0.4, 0.4, 0.4]", "finetune"),
    "backbone.std": Key("[0.3, 0.3, 0.3]", "finetune"),
    "backbone.pretrained": Key("", "finetune", needs=_weights),
    "backbone.train": Key("head", "finetune"),
    "backbone.tokens": Key("first", outcome="refused"),  # these are of networks of others
    "backbone.insert": Key("stem.*", outcome="refused"),
    "backbone.revision": Key("main"),
    "backbone.published": Key("{name: 'hf:tiny'}", outcome="refused"),
    "finetune.source": Key(
        "features", outcome="refused"
    ),  # the run's own are made by what it trains
    "finetune.optimizer": Key("sgd", "finetune"),
    "finetune.base_lr": Key("0.001", "finetune"),
    "finetune.base_batch": Key("8", "finetune"),
    "finetune.batch_size": Key("4", "finetune"),
    "finetune.epochs": Key("2", "finetune"),
    "finetune.min_steps": Key("4", "finetune"),
    "finetune.warmup_epochs": Key("0.5", "finetune"),
    "finetune.warmup_lr": Key("0.001", "finetune"),
    "finetune.weight_decay": Key("0.5", "finetune"),
    "finetune.momentum": Key("0.5", "finetune"),
    "finetune.grad_clip": Key("0.1", "finetune"),
    "finetune.gradient_accumulation": Key("2", "finetune"),
    "finetune.ema_decay": Key("0.5", "finetune"),
    "finetune.keep": Key("last", "finetune"),
    "finetune.patience": Key("3", "finetune"),
    "finetune.precision": Key("bfloat16", "finetune"),
    "finetune.seed": Key("1", "finetune"),
    "finetune.checkpoint_seconds": Key("0.01"),
    "finetune.fps": Key("10", "finetune"),
    "finetune.frames": Key("4", "finetune"),
    "finetune.interval": Key("2", "finetune"),
    "finetune.sampling": Key("segments", "finetune"),
    "finetune.short_segments": Key("inside", "finetune"),
    "finetune.short_side": Key("[36, 40]", "finetune"),
    "finetune.proxies": Key("40", outcome="refused"),  # none were made
    "finetune.crop": Key("24", "finetune"),
    "finetune.eval_short_side": Key("40", "finetune"),
    "finetune.flip": Key("0", "finetune"),
    "finetune.flip_swaps_sides": Key("false", "finetune"),
    "finetune.augment.color_jitter": Key("1", "finetune"),
    "finetune.augment.rand_augment": Key("[2, 9]", "finetune"),
    "finetune.augment.erasing": Key("1", "finetune"),
    "finetune.augment.mixup": Key("1", "finetune"),
    "finetune.augment.cutmix": Key("1", "finetune"),
    "finetune.balance": Key("full", "finetune"),
    "finetune.freeze_norm": Key("true", outcome="refused"),  # there is none to keep
    "finetune.label_smoothing": Key("0.1", "finetune"),
    "finetune.clips_per_segment": Key("2", "finetune"),
    "finetune.compile": Key("true", "finetune"),
    "finetune.activation_checkpointing": Key("true"),
    "views.clips": Key("2"),  # of eval-classifier, which `run` does not do
    "views.crops": Key("1"),
    "views.short_side": Key("32"),
    "extract.fps": Key("10", "extract"),
    "extract.frames": Key("4", "extract"),
    "extract.interval": Key("2", "extract"),
    "extract.stride": Key("6", "extract"),
    "extract.offset_frames": Key("4", "extract"),
    "extract.short_side": Key("40", "extract"),
    "extract.crop": Key("center", "extract"),
    "extract.batch_size": Key("4", "extract"),
    "extract.precision": Key("bfloat16", "extract"),
    "extract.compile": Key("true", "extract"),
    "extract.decoder": Key("pyav"),
    "extract.allow_partial": Key("true"),
    "bmn.optimizer": Key("sgd", "bmn"),
    "bmn.base_lr": Key("0.1", "bmn"),
    "bmn.base_batch": Key("8", "bmn"),
    "bmn.batch_size": Key("4", "bmn"),
    "bmn.epochs": Key("2", "bmn"),
    "bmn.min_steps": Key("4", "bmn"),
    "bmn.warmup_epochs": Key("0.5", "bmn"),
    "bmn.warmup_lr": Key("0.001", "bmn"),
    "bmn.weight_decay": Key("0.5", "bmn"),
    "bmn.momentum": Key("0.5", "bmn"),
    "bmn.grad_clip": Key("0.1", "bmn"),
    "bmn.gradient_accumulation": Key("2", "bmn"),
    "bmn.ema_decay": Key("0.5", "bmn"),
    "bmn.keep": Key("last", "bmn"),
    "bmn.patience": Key("3", "bmn"),
    "bmn.precision": Key("bfloat16", "bmn"),
    "bmn.seed": Key("1", "bmn"),
    "bmn.checkpoint_seconds": Key("0.01"),
    "bmn.mode": Key("rescale", "bmn"),
    "bmn.temporal_scale": Key("32", "bmn"),
    "bmn.duration_scale": Key("16", "bmn"),
    "bmn.feature_step": Key("2", "bmn"),
    "bmn.positions": Key("average", "bmn"),
    "bmn.window_step": Key("10", "bmn"),
    "bmn.windows_to_end": Key("true", "bmn"),
    "bmn.random_windows": Key("false", "bmn"),
    "bmn.min_inside": Key("0.5", "bmn"),
    "bmn.normalize": Key("true", "bmn"),
    "bmn.hidden_1d": Key("16", "bmn"),
    "bmn.hidden_2d": Key("16", "bmn"),
    "bmn.hidden_3d": Key("16", "bmn"),
    "bmn.num_samples": Key("8", "bmn"),
    "bmn.samples_per_bin": Key("2", "bmn"),
    "bmn.boundary_ratio": Key("0.25", "bmn"),
    "bmn.boundary_center": Key("0", "bmn"),
    "bmn.regression": Key("true", "bmn"),
    "bmn.groups": Key("2", "bmn"),
    "bmn.keep_maps": Key("false"),
    "proposals.cls_power": Key("0.5", "proposals"),
    "proposals.reg_power": Key("0.5", "proposals"),
    "proposals.boundary_power": Key("1", "proposals"),
    "proposals.alpha": Key("0.9", "proposals"),
    "proposals.low": Key("0.3", "proposals"),
    "proposals.high": Key("0.7", "proposals"),
    "proposals.power": Key("1", "proposals"),
    "proposals.count": Key("10", "proposals"),
    "proposals.per_second": Key("0.5", "proposals"),
    "proposals.voting": Key("null", "proposals"),
    "classify.scores": Key("", "classify", needs=_scores),
    "classify.mode": Key("video", "classify"),
    "classify.source": Key("video", "classify"),
    "classify.top": Key("1", "classify"),
    "classify.positions": Key("3", "classify"),
    "classify.spread": Key("over", "classify"),
    "classify.top_verbs": Key("3", "classify"),
    "classify.top_nouns": Key("3", "classify"),
    "classify.pairs": Key("3", "classify"),
    "eval.iou": Key("[0.1, 0.2]", "eval"),
    "eval.proposals_at": Key("[1, 2]", "eval"),
    "eval.ties": Key("official", "eval"),
    "eval.ignore_labels": Key(
        "[nothing]", "eval"
    ),  # a label there is, among the changes of the table
    "eval.published": Key("{'BMN': {'0.5': 10}}"),
    "eval.paper": Key("{mAP: {'0.5': 10}}"),
    "eval.paper_dataset": Key("hacs"),
    "eval.paper_iou": Key("[0.5]"),
    "eval.sls": Key("[1, 3, 3]", "eval"),
    "runtime.device": Key("auto"),
    "runtime.workers": Key("1"),
    "runtime.allow_failures": Key("1"),
    "runtime.skip": Key("", needs=_empty_skip),
    "runtime.log": Key("[csv]"),
}
# Keys of the head that a run has not: whatever they are, nothing of it is stale. All are changed at once.
OF_THE_OTHER_HEAD = {
    "actionformer.optimizer": "sgd", "actionformer.base_lr": "0.1", "actionformer.base_batch": "8",
    "actionformer.batch_size": "4", "actionformer.epochs": "2", "actionformer.min_steps": "4",
    "actionformer.warmup_epochs": "0.5", "actionformer.warmup_lr": "0.001", "actionformer.weight_decay": "0.5",
    "actionformer.momentum": "0.5", "actionformer.grad_clip": "0.1", "actionformer.gradient_accumulation": "2",
    "actionformer.ema_decay": "0.5", "actionformer.keep": "last", "actionformer.patience": "3",
    "actionformer.precision": "bfloat16", "actionformer.seed": "1", "actionformer.checkpoint_seconds": "0.01",
    "actionformer.classes": "none", "actionformer.trunk": "separate", "actionformer.mode": "rescale",
    "actionformer.max_length": "64", "actionformer.feature_step": "2", "actionformer.positions": "average",
    "actionformer.normalize": "true", "actionformer.width": "16", "actionformer.head_width": "8",
    "actionformer.heads": "2", "actionformer.levels": "3", "actionformer.window": "5",
    "actionformer.embedding_layers": "1", "actionformer.stem_layers": "1", "actionformer.head_layers": "2",
    "actionformer.position_code": "true", "actionformer.dropout": "0.1", "actionformer.drop_path": "0",
    "actionformer.ranges": "[[0, 2], [2, 4], [4, 99]]", "actionformer.center_radius": "1",
    "actionformer.crop_ratio": "null", "actionformer.min_inside": "0.3", "actionformer.regression_weight": "2",
    "actionformer.label_smoothing": "0.1", "actionformer.loss_normalizer": "10",
    "detections.score_threshold": "0.01", "detections.top": "10", "detections.min_duration": "1",
    "detections.nms": "hard", "detections.sigma": "0.3", "detections.iou": "0.5", "detections.min_score": "0.01",
    "detections.count": "10", "detections.per_class": "false", "detections.voting": "0.7",
    "detections.top_verbs": "3", "detections.top_nouns": "3", "detections.pairs": "3",
}  # fmt: skip
# Another head has other stages; tests/pipeline/stages/heads are about those.
OTHER_STAGES = {"detector.name"}
WORDS = {
    "backbone.pretrained": "pretrained weights"
}  # what they are is reported, not where they are
# A compiler takes minutes, and is not on every machine.
NOT_RUN = {"finetune.compile", "extract.compile"}


def _apply(name: str, key: Key, by_file: bool) -> Callable[[World], object]:
    def apply(world: World) -> None:
        if key.needs is not None:
            key.needs(world)
        else:
            world.settings[name] = key.value
        world.by_file = by_file

    return apply


def _change(name: str, key: Key, *, by_file: bool) -> Change:
    stops = key.first in {"finetune", "extract", "bmn"}
    way = "file" if by_file else "--set"
    return Change(
        f"{name} by {way}",
        _apply(name, key, by_file),
        key.outcome or ("stops" if stops else "same"),
        first=(key.first,) if key.first else (),
        videos=None if key.first else (),
        says=(WORDS.get(name, name),) if key.first else (),
        brief=by_file,
    )


CHANGES = [
    _change(name, key, by_file=by_file)
    for by_file in (False, True)
    for name, key in KEYS.items()
    if name not in NOT_RUN
]
CHANGES.append(
    Change(
        "keys of the head that the run has not",
        lambda world: world.settings.update(OF_THE_OTHER_HEAD),
        videos=(),
    )
)
