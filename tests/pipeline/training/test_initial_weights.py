"""Start weights named in a configuration: public, torchvision's, and what is refused."""

from __future__ import annotations

import os

import pytest
import torch

from feature_extraction.backbones import build_backbone
from pipeline.configuration.settings import BackboneSettings
from pipeline.errors import UserError
from pipeline.training.classifier import load_classifier, new_classifier, save_classifier

NARROW = {"name": "tada2d", "width": 8}


def test_a_public_checkpoint_is_loaded_and_said(reference, tmp_path, capsys):
    arrays = reference("tada2d.npz")
    state = {
        k.removeprefix("state/"): torch.from_numpy(v)
        for k, v in arrays.items()
        if k.startswith("state/")
    }
    path = tmp_path / "public.pth"
    torch.save({"model_state": state}, path)
    model = new_classifier(BackboneSettings(**NARROW, pretrained=str(path)), 10, seed=0)
    assert torch.equal(model.stem.conv.weight[:, :, None], state["backbone.conv1.a.weight"])
    assert f"{len(state)} tensors used" in capsys.readouterr().err
    other = new_classifier(BackboneSettings(**NARROW, pretrained=str(path)), (7, 11), seed=0)
    assert torch.equal(other.stem.conv.weight, model.stem.conv.weight)
    said = capsys.readouterr().err
    assert "2 not used" in said and "head.out.weight" in said and "left at random" in said


def test_torchvision_weights_are_loaded_from_a_file(tmp_path, capsys):
    from torchvision.models import resnet50

    torch.manual_seed(1)
    state = resnet50().state_dict()
    path = tmp_path / "resnet50.pth"
    torch.save(state, path)
    model = new_classifier(BackboneSettings(name="tsn", pretrained=str(path)), 5, seed=0)
    assert torch.equal(model.stem.conv.weight, state["conv1.weight"])
    assert "fc.weight" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["missing", "text", "code", "foreign", "empty"])
def test_files_that_are_no_weights_are_one_line(tmp_path, kind):
    class Code:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "weights.pth"
    if kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.touch()
    elif kind != "missing":
        torch.save({"x": Code()} if kind == "code" else {"x": torch.zeros(3)}, path)
    with pytest.raises(UserError) as caught:
        new_classifier(BackboneSettings(**NARROW, pretrained=str(path)), 10, seed=0)
    assert "weights.pth" in caught.value.message and "\n" not in caught.value.message
    assert not (tmp_path / "ran").exists()


def test_a_runs_weights_of_another_architecture_are_refused(tmp_path):
    save_classifier(
        build_backbone("tsn", depth=(1, 1, 1, 1), width=8, num_classes=3),
        tmp_path / "finetune/model.pt",
    )
    settings = BackboneSettings(name="tada2d", depth=(1, 1, 1, 1), width=8)
    with pytest.raises(UserError, match="not the weights of this configuration"):
        load_classifier(settings, 3, tmp_path, torch.device("cpu"))
