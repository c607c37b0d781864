"""The boundary-matching network (Lin et al., ICCV 2019; the TAdaConv paper's Appendix A.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from bmn.boundary_matching import BoundaryMatching
from bmn.errors import BMNError

# Where the layers of the public checkpoints live in BMN.
PUBLIC_LAYERS = {
    "backbone.conv_layer.0": "base.0",
    "backbone.conv_layer.2": "base.2",
    "head.x_1d_s.0": "start_head.0",
    "head.x_1d_s.2": "start_head.2",
    "head.x_1d_e.0": "end_head.0",
    "head.x_1d_e.2": "end_head.2",
    "head.x_1d_p.0": "map_base.0",
    "head.x_3d_p.0": "matching",
    "head.x_2d_p.0": "reduce",
    "head.x_2d_p.2": "map_head.0",
    "head.x_2d_p.4": "map_head.2",
    "head.x_2d_p.6": "map_head.4",
}
# The same of the moves, which the public code has on request.
PUBLIC_MOVES = {
    "head.x_2d_r.0": "move_reduce",
    "head.x_2d_r.2": "move_head.0",
    "head.x_2d_r.4": "move_head.2",
    "head.x_2d_r.6": "move_head.4",
}
PUBLIC_IGNORED = "head.sample_mask"  # the dense sampling mask: ours follows from the sizes


class BMNOutput(NamedTuple):
    """Probabilities: confidence_map [B, 2, D, T], start [B, T] and end [B, T].

    Channel 0 of the map is trained as regression of the tIoU, 1 as classification.
    Cell (d, s) stands for the segment [s, s + d + 1] in positions.
    """

    confidence_map: Tensor
    start: Tensor
    end: Tensor

    @property
    def moves(self) -> Tensor | None:
        """None: the network has no such output (see MovedOutput)."""
        return None


class MovedOutput(NamedTuple):
    """A BMNOutput and moves [B, 2, D, T], those of every cell's centre and length (`moves`)."""

    confidence_map: Tensor
    start: Tensor
    end: Tensor
    moves: Tensor


class BMN(nn.Module):
    """Features of a window -> probabilities of starts, of ends and of every candidate segment.

    in_channels: channels of the features. temporal_scale T: positions of a window.
    duration_scale D: longest duration in positions, at most T.
    hidden_1d, hidden_2d, hidden_3d: widths of the layers over time, over the map and over samples.
    num_samples, samples_per_bin, boundary_ratio: see `boundary_matching.sampling_rows`.
    groups: groups of the base convolutions and of the boundary heads.
    regression: adds the output that moves each cell's segment, with layers of its own.

    Call it on features [B, in_channels, T]; gives a BMNOutput, with regression a MovedOutput. Cells
    whose segment ends beyond T hold what the network makes of features sampled as zero, as in the
    dense form: mask them.
    Raises BMNError for sizes that do not fit together.
    """

    def __init__(
        self,
        in_channels: int,
        temporal_scale: int,
        duration_scale: int,
        *,
        hidden_1d: int = 256,
        hidden_2d: int = 128,
        hidden_3d: int = 512,
        num_samples: int = 32,
        samples_per_bin: int = 3,
        boundary_ratio: float = 0.5,
        groups: int = 4,
        regression: bool = False,
    ) -> None:
        super().__init__()
        if in_channels % groups or hidden_1d % groups:
            raise BMNError(
                f"groups {groups} must divide in_channels {in_channels} and hidden_1d {hidden_1d}"
            )
        self.base = _base_layers(in_channels, hidden_1d, groups)
        self.start_head = _boundary_head(hidden_1d, groups)
        self.end_head = _boundary_head(hidden_1d, groups)
        self.map_base = nn.Sequential(nn.Conv1d(hidden_1d, hidden_1d, 3, padding=1), nn.ReLU())
        self.matching = BoundaryMatching(
            hidden_1d,
            hidden_3d,
            temporal_scale,
            duration_scale,
            num_samples=num_samples,
            samples_per_bin=samples_per_bin,
            boundary_ratio=boundary_ratio,
        )
        self.reduce = nn.Linear(hidden_3d, hidden_2d)
        self.map_head = _map_head(hidden_2d)
        if regression:  # last: the other layers' first weights are the same with and without
            self.move_reduce = nn.Linear(hidden_3d, hidden_2d)
            self.move_head = _map_head(hidden_2d)
        self.regression = regression

    def forward(self, features: Tensor) -> BMNOutput | MovedOutput:
        """features [B, in_channels, T] -> the output. Raises BMNError for any other length."""
        shared = self.base(features)
        start = self.start_head(shared).squeeze(1).sigmoid()
        end = self.end_head(shared).squeeze(1).sigmoid()
        matched = self.matching(self.map_base(shared)).relu_()
        moves = self._map_of(self.move_reduce, matched) if self.regression else None
        reduced = self._map_of(self.reduce, matched)
        del matched  # large, and not needed by what follows
        confidence_map = self.map_head(reduced).sigmoid().contiguous()
        if moves is None:
            return BMNOutput(confidence_map, start, end)
        return MovedOutput(confidence_map, start, end, self.move_head(moves).contiguous())

    def _map_of(self, reduce: nn.Linear, matched: Tensor) -> Tensor:
        """A map's first 1x1 convolution: matched [B, cells, hidden_3d] -> [B, hidden_2d, D, T]."""
        cells = reduce(matched).relu_()
        # Every cell beyond T samples nothing, so the matching layer leaves its bias alone there.
        outside = reduce(self.matching.bias.relu()).relu_()
        return self.matching.to_map(cells, outside)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """As nn.Module's; weights under the public names (see PUBLIC_LAYERS) are taken too."""
        if any(key.startswith("head.") for key in state_dict):
            state_dict = from_public_names(state_dict, regression=self.regression)
        return super().load_state_dict(state_dict, strict=strict, assign=assign)


def _base_layers(in_channels: int, channels: int, groups: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(in_channels, channels, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.Conv1d(channels, channels, 3, padding=1, groups=groups),
        nn.ReLU(),
    )


def _boundary_head(channels: int, groups: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(channels, channels, 3, padding=1, groups=groups),
        nn.ReLU(inplace=True),
        nn.Conv1d(channels, 1, 1),
    )


def _map_head(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, 2, 1),
    )


def load_public_checkpoint(model: BMN, state_dict: Mapping[str, Tensor]) -> None:
    """Copy a public checkpoint's weights into `model`, strictly, in place.

    state_dict: tensors under the public names (`backbone.conv_layer.*`, `head.*`); the dense
        `head.sample_mask` is left unused.

    Raises BMNError naming the keys that are missing or unknown, or the first whose shape differs;
    the model is unchanged then.
    """
    own_state = model.state_dict()
    converted = from_public_names(state_dict, regression=model.regression)
    for name, tensor in converted.items():
        if tensor.shape != own_state[name].shape:
            raise BMNError(
                f"the checkpoint's {name} has shape {tuple(tensor.shape)}, this model's "
                f"{tuple(own_state[name].shape)}: build the model with the checkpoint's sizes"
            )
    model.load_state_dict(converted)


def from_public_names(
    state_dict: Mapping[str, Tensor], *, regression: bool = False
) -> dict[str, Tensor]:
    """A public checkpoint's weights under BMN's names and in its layouts.

    regression: whether it must have the layers of the moves too, or may not.
    Raises BMNError naming the keys that are missing or unknown.
    """
    layers = PUBLIC_LAYERS | PUBLIC_MOVES if regression else PUBLIC_LAYERS
    names = {
        f"{public}.{kind}": f"{own}.{kind}"
        for public, own in layers.items()
        for kind in ("weight", "bias")
    }
    given = set(state_dict) - {PUBLIC_IGNORED}
    if given != set(names):
        missing, unknown = sorted(set(names) - given), sorted(given - set(names))
        raise BMNError(f"not a public BMN checkpoint: missing keys {missing}, unknown {unknown}")
    return {own: _own_layout(own, state_dict[public]) for public, own in names.items()}


def _own_layout(name: str, tensor: Tensor) -> Tensor:
    if name == "matching.weight" and tensor.ndim == 5:  # [out, in, N, 1, 1] -> [N, out, in]
        return tensor.flatten(2).permute(2, 0, 1)
    if (
        name in ("reduce.weight", "move_reduce.weight") and tensor.ndim == 4
    ):  # [out, in, 1, 1] -> [out, in]
        return tensor.flatten(1)
    return tensor
