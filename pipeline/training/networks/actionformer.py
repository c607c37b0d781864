"""ActionFormer as a run trains it: built from its settings, loaded, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from actionformer import ActionFormer, Level
from actionformer.losses import actionformer_loss
from actionformer.recipe import decays, learning_rate
from actionformer.targets import Targets
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.processes import distributed
from pipeline.training.checkpoints import MODEL_FILE, load_weights
from pipeline.training.optimisation import Recipe
from pipeline.training.steps import Batch, Loss

PRIOR = 0.01  # probability that every class begins with


class Networks(nn.Module):
    """One ActionFormer, or two side by side: one for the verbs, one for the nouns.

    normalizer []: what the losses are divided by, a moving average of the positions that learn a segment
    in a step. Two networks share it, for they learn at the same positions.
    """

    normalizer: Tensor

    def __init__(self, networks: Sequence[ActionFormer], normalizer: float) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.register_buffer("normalizer", torch.tensor(float(normalizer)))

    def forward(self, batch: Tensor, mask: Tensor) -> list[list[Level]]:
        """batch [B, C, T], mask [B, T] -> of each network a Level each."""
        return [network(batch, mask) for network in self.each]

    @property
    def each(self) -> list[ActionFormer]:
        """The networks: the one there is, or that of verbs and that of nouns."""
        return list(self.networks)  # type: ignore[arg-type]  # a ModuleList's are Modules

    @property
    def first(self) -> ActionFormer:
        """The first network; another has the same sizes but for its classes."""
        return self.each[0]


def sizes_of(settings: ActionFormerSettings, heads: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """The numbers of classes that the network has, of the data set's `heads`; () where it has none of its own."""
    return tuple(map(len, heads)) if settings.classes == "own" else ()


def build_network(settings: ActionFormerSettings, channels: int, sizes: Sequence[int]) -> Networks:
    """The network of the settings for features of this many channels, with random weights.

    `sizes` are the numbers of classes: of the one set there is, of verbs and nouns, or of none (), where
    segments have no class.
    """
    classes = list(sizes) if settings.trunk == "separate" else [sum(sizes)]
    return Networks(
        [_network(settings, channels, max(1, count)) for count in classes or [1]],
        settings.loss_normalizer,
    )


def _network(settings: ActionFormerSettings, channels: int, classes: int) -> ActionFormer:
    return ActionFormer(
        channels,
        classes,
        width=settings.width,
        head_width=settings.head_width,
        heads=settings.heads,
        levels=settings.levels,
        window=settings.window,
        max_length=settings.max_length,
        embedding_layers=settings.embedding_layers,
        stem_layers=settings.stem_layers,
        head_layers=settings.head_layers,
        position_code=settings.position_code,
        dropout=settings.dropout,
        drop_path=settings.drop_path,
        ranges=settings.regression_ranges,
    )


def start_classes(model: Networks, sizes: Sequence[int], classes: np.ndarray) -> None:
    """Let classes without a training segment begin next to impossible, as published.

    classes int [n, heads]: those of the training segments.
    """
    empty = [np.setdiff1d(range(size), classes[:, head]) for head, size in enumerate(sizes)]
    if len(model.networks) < len(empty):  # verbs and nouns beside one another
        empty = [np.concatenate([empty[0], empty[1] + sizes[0]])]
    for network, none in zip(model.each, empty, strict=False):
        if len(none):
            network.cls_head.start(PRIOR, none.tolist())


def load_network(
    settings: ActionFormerSettings,
    channels: int,
    sizes: Sequence[int],
    run: Path,
    device: torch.device,
) -> Networks:
    """The run's trained network, in eval mode; `sizes` as for `build_network`.

    Raises UserError if the file is damaged or of another architecture.
    """
    model = build_network(settings, channels, sizes)
    load_weights(model, run / "actionformer" / MODEL_FILE)
    return model.to(device).eval()


def detection_loss(model: Networks, settings: ActionFormerSettings, sizes: Sequence[int]) -> Loss:
    """The terms of ActionFormer's loss (Zhang et al. 2022, Eq. 7) on a batch of videos of all processes.

    A batch has features [b, C, T], mask [b, T] and the targets classes [b, P, K], offsets [b, P, 2] and
    positive [b, P], and of the whole batch, once per sample: `positives`, how many points learn a segment,
    `samples`, and whether this is its `last` piece. `model` holds the normalizer: it changes once per batch,
    by the positives of all of it, so that a batch in pieces gives the step that it gives whole.
    """

    def loss(spread: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        made = [_whole(levels) for levels in spread(batch["features"], batch["mask"])]
        targets = Targets(*(distributed.gather(batch[key]) for key in Targets._fields))
        share = batch["samples"][0] / len(
            targets.positive
        )  # the loop weights a piece by its samples
        counted = torch.tensor(batch["positives"][0], device=targets.positive.device)
        terms, normalizer = loss_terms(made, targets, model.normalizer, settings, sizes, counted)
        if batch["last"][-1]:
            model.normalizer.copy_(normalizer)
        return {name: term * share for name, term in terms.items()}

    return loss


def loss_terms(
    made: Sequence[Sequence[Level]],
    targets: Targets,
    normalizer: Tensor,
    settings: ActionFormerSettings,
    sizes: Sequence[int],
    positives: Tensor | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """The loss of what the networks made of a batch, term by term, `total` among them; and the new normalizer.

    positives []: how many points learn a segment; None: those of this batch.
    """
    names = ("verb_", "noun_") if len(made) == 2 else ("",)
    columns = list(sizes) if len(made) == 2 else [targets.classes.shape[-1]]
    parts = torch.split(targets.classes, columns, -1)
    terms: dict[str, Tensor] = {}
    for name, levels, classes in zip(names, made, parts, strict=True):
        found = actionformer_loss(
            levels,
            targets._replace(classes=classes),
            normalizer,
            regression_weight=settings.regression_weight,
            smoothing=settings.label_smoothing,
            positives=positives,
        )
        terms |= {
            f"{name}classification": found.classification,
            f"{name}regression": found.regression,
        }
        terms["total"] = terms["total"] + found.total if "total" in terms else found.total
    return terms, found.normalizer.detach()


def _whole(levels: Sequence[Level]) -> list[Level]:
    """All levels as one, of the samples of all processes, in float32 at least."""
    logits, offsets, mask = (torch.cat(part, 1) for part in zip(*levels, strict=True))
    kind = torch.promote_types(logits.dtype, torch.float32)
    return [Level(*map(distributed.gather, (logits.to(kind), offsets.to(kind), mask)))]


def recipe_of(settings: ActionFormerSettings, steps: int) -> Recipe:
    """How ActionFormer is optimised, as published; `steps` are those of an epoch.

    Weight decay is for the convolutions' weights alone. The rate rises from `warmup_lr` to its peak at the last step
    of the warm-up, and falls in a half cosine. The moving average begins at the initial weights. Networks side by
    side have a limit of the gradient each.
    """
    peak, start = (rate * settings.batch_ratio for rate in (settings.base_lr, settings.warmup_lr))
    warmup, iterations = round(settings.warmup_epochs * steps), settings.epochs * steps

    def rate(number: int) -> float:
        rising = number < warmup
        base = start if rising else 0.0
        return base + learning_rate(number, peak - base, warmup=warmup, iterations=iterations)

    return Recipe(
        decays=lambda name, _: decays(name),
        rate=rate,
        average_from_start=True,
        clipped=lambda model: model.each if isinstance(model, Networks) else [model],
    )
