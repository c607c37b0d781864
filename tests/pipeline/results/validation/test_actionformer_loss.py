"""ActionFormer's validation loss: by video, whatever the normalizer is, the same in any number of processes."""

from __future__ import annotations

import pytest
import torch

from actionformer import Level, Targets, actionformer_loss
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.data.sequences.learning import targets_of, valid_points
from pipeline.errors import UserError
from pipeline.results.validation import means
from pipeline.results.validation.actionformer import validation_loss
from pipeline.training.networks.actionformer import build_network

CPU = torch.device("cpu")
SMALL = {"width": 16, "heads": 2, "levels": 3, "max_length": 16, "window": 3}


def settings_of(**keys):
    return ActionFormerSettings(**{**SMALL, **keys})


def videos(settings, sizes):
    """Three videos, the second without a segment that is learnt."""
    generator, made = torch.Generator().manual_seed(0), []
    for number, spans in enumerate(([[1.0, 6.0], [3.0, 11.0]], [[0.1, 0.9]], [[2.0, 9.0]])):
        length = 16 - number
        classes = torch.zeros(len(spans), len(sizes), dtype=torch.int64).numpy()
        targets = targets_of(torch.tensor(spans).numpy(), classes, 16, settings, sizes)
        mask = torch.arange(16) < length
        features = torch.randn(6, 16, generator=generator) * mask
        positive = targets.positive & valid_points(length, 16, 3)
        made.append({"features": features[None], "mask": mask[None], "classes": targets.classes[None],
                     "offsets": targets.offsets[None], "positive": positive[None]})  # fmt: skip
    return made


def validated(model, made, settings, sizes):
    return validation_loss(
        model, len(made), lambda plan: (made[n] for n in plan), settings, sizes, CPU
    )


@pytest.mark.parametrize(("sizes", "keys"), [
    ((3,), {}), ((), {"classes": "none"}), ((2, 3), {}), ((2, 3), {"trunk": "separate"}),
])  # fmt: skip
def test_a_videos_terms_are_divided_by_its_own_positive_points(sizes, keys):
    settings = settings_of(**keys, regression_weight=2.0, label_smoothing=0.1)
    model, made = build_network(settings, 6, sizes), videos(settings, sizes)
    figures = validated(model, made, settings, sizes)
    totals = []
    model.eval()
    for one in made:
        count = max(1, int(one["positive"].sum()))
        parts = model(one["features"], one["mask"])
        columns = one["classes"].split(list(sizes), -1) if len(parts) == 2 else [one["classes"]]
        total = 0.0
        for levels, classes in zip(parts, columns, strict=True):
            flat = [Level(*(torch.cat(part, 1) for part in zip(*levels, strict=True)))]
            targets = Targets(classes, one["offsets"], one["positive"])
            loss = actionformer_loss(
                flat, targets, float(count), regression_weight=2.0, smoothing=0.1
            )
            total += float(loss.total.detach())
        totals.append(total)
    assert figures["val_total"] == pytest.approx(sum(totals) / 3, rel=1e-6)
    model.normalizer.fill_(7)
    assert validated(model, made, settings, sizes) == figures


def test_two_processes_give_what_one_gives(monkeypatch):
    settings = settings_of()
    torch.manual_seed(1)
    model, made = build_network(settings, 6, (3,)), videos(settings, (3,))
    alone, parts = validated(model, made, settings, (3,)), []
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setattr(
            means.distributed, "gather_values", lambda part: parts.append(part) or parts
        )
        both = validated(model, made, settings, (3,))
    assert both == alone


def test_no_video_is_refused():
    with pytest.raises(UserError, match="actionformer: no video to validate on"):
        validated(build_network(settings_of(), 6, (3,)), [], settings_of(), (3,))
