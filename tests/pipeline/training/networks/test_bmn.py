"""The boundary-matching network: of its settings, loaded as it was saved, and its loss."""

from __future__ import annotations

import pytest
import torch

from bmn import bmn_loss
from bmn.targets import Targets, valid_mask
from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UsageError, UserError
from pipeline.training.checkpoints import save_weights
from pipeline.training.networks.bmn import build_network, load_network, proposal_loss

CPU = torch.device("cpu")
SMALL = {
    "temporal_scale": 12, "duration_scale": 6, "hidden_1d": 8, "hidden_2d": 4, "hidden_3d": 16,
    "num_samples": 3,
}  # fmt: skip


def settings_of(**keys):
    fields = {f"bmn.{key}": value for key, value in (SMALL | keys).items()}
    return load_config(find_config("ek100"), fields).bmn


def random(*shape, seed):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("regression", [False, True])
def test_the_network_has_the_sizes_of_the_settings(regression):
    model = build_network(settings_of(regression=regression), 20)
    assert model.base[0].in_channels == 20 and model.base[0].out_channels == 8
    assert (model.reduce.in_features, model.reduce.out_features) == (16, 4)
    output = model(random(2, 20, 12, seed=0))
    assert output.start.shape == output.end.shape == (2, 12)
    assert output.confidence_map.shape == (2, 2, 6, 12)
    assert (output.moves is not None) == regression


def test_it_is_loaded_as_it_was_saved_and_another_refused(tmp_path):
    model = build_network(settings_of(), 8)
    save_weights(model, tmp_path / "bmn/model.pt")
    loaded = load_network(settings_of(), 8, tmp_path, CPU)
    assert not loaded.training
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    for settings, channels in ((settings_of(hidden_2d=8), 8), (settings_of(), 12)):
        with pytest.raises(UserError, match="not the weights of this configuration") as caught:
            load_network(settings, channels, tmp_path, CPU)
        assert "\n" not in caught.value.message
    with pytest.raises(UserError, match="no such file"):
        load_network(settings_of(), 8, tmp_path / "other", CPU)


@pytest.mark.parametrize("regression", [False, True])
def test_the_loss_of_a_batch_is_bmns(regression):
    settings = settings_of(regression=regression)
    model = build_network(settings, 8).eval()
    targets = Targets(*(random(3, *shape, seed=9) for shape in ((12,), (12,), (6, 12))))
    batch = {"features": random(3, 8, 12, seed=1), **targets._asdict()}
    moves = random(3, 2, 6, 12, seed=2) if regression else None
    if moves is not None:
        batch["moves"] = moves
    found = proposal_loss(settings, CPU)(model, batch, torch.Generator().manual_seed(4))
    expected = bmn_loss(
        model(batch["features"]),
        targets,
        valid_mask(6, 12),
        generator=torch.Generator().manual_seed(4),
        moves=moves,
    )
    names = ["total", "tem", "pem_reg", "pem_cls"] + ["moves"] * regression
    assert list(found) == names
    for name, value in found.items():
        torch.testing.assert_close(value, getattr(expected, name))


def test_groups_that_do_not_divide_the_features_are_refused():
    settings = settings_of(groups=3, hidden_1d=9)
    with pytest.raises(UsageError, match=r"bmn\.groups = 3: the 16 channels"):
        build_network(settings, 16)
    build_network(settings, 15)
