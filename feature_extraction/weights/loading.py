"""Weights from elsewhere: public TAdaConv checkpoints and torchvision's ImageNet ResNets.

Foreign names are mapped onto ours, every backbone weight must be found and fit, and the report says
what was used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from feature_extraction.weights.files import (
    CheckpointError,
    some,
    tensors_of,
)
from feature_extraction.weights.names import (
    FORMER_LATERAL,
    LATERAL,
    one_pathway,
    public_name,
    torchvision_name,
)

# Keys that must have a place in the network, and what ImageNet has no weights for.
# words: ok (an earlier name in saved weights)
OURS = re.compile(r"(backbone|stem|stages|slow|fast|lateral|joints|s[1-9](_fuse)?)\.")
NOT_IN_IMAGENET = re.compile(r"^head\.|\.route\.|\.pooled_norm\.")
NOT_IN_R2PLUS1D = re.compile(r"\.conv\.temporal\.|\.aggregate\.norm\.")


@dataclass(frozen=True)
class LoadReport:
    """Which of the checkpoint's keys were used, which were not, which of ours stayed as they were.

    used, unused: names as in the checkpoint; missing: names as in our network.
    swapped_head: the checkpoint's classifier did not fit the classes, and ours was kept as it was.
    """

    used: tuple[str, ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    swapped_head: bool


def load_public_checkpoint(model: nn.Module, state_dict: Mapping[str, object]) -> LoadReport:
    """Load a public checkpoint (TAdaConv's code, PySlowFast), or a state dict of ours, into `model`.

    Strict on the backbone: every weight must be there, known and of the right shape. A head for
    other classes (another count, or single against pair) is left out, the model's own stays, and
    the report says so. A wrapper such as {"model_state": ...} is opened. The model is untouched
    when CheckpointError is raised (foreign checkpoint, missing or unknown key, wrong shape).
    """
    state, own = tensors_of(state_dict), model.state_dict()
    names = {key: key if key in own else public_name(key) for key in state}
    if not any(name.startswith("slow.") for name in own):
        names = {key: name and one_pathway(name) for key, name in names.items()}
    if not any(name in own for name in names.values()):
        hint = " (torchvision's: use load_imagenet)" if "layer1.0.conv1.weight" in state else ""
        raise CheckpointError(
            f"no key of the checkpoint belongs to the network: {some(state)}{hint}"
        )
    heads = {key: name for key, name in names.items() if (name or key).startswith("head.")}
    backbone = {key: name for key, name in names.items() if key not in heads}
    unknown = [k for k, name in backbone.items() if name not in own and (name or OURS.match(k))]
    if unknown:
        raise CheckpointError(
            f"the checkpoint has weights that the network does not have: {some(unknown)}"
        )
    chosen = place_weights(own, state, {key: name for key, name in backbone.items() if name})
    own_head = {name for name in own if name.startswith("head.")}
    head = {key: name for key, name in heads.items() if name}
    swapped = set(heads.values()) != own_head or any(
        state[key].shape != own[name].shape for key, name in head.items()
    )
    if not swapped:
        chosen.update(head)
    return apply(model, own, state, chosen, optional=own_head if swapped else (), swapped=swapped)


def load_imagenet(model: nn.Module, state_dict: Mapping[str, object]) -> LoadReport:
    """Load a torchvision ResNet's ImageNet weights into a network of the same depth (Appendix B).

    The middle batch norm becomes BN1 of Eq. 7. A kernel over time (R3D; SlowOnly's reductions) gets
    ImageNet's spread evenly over its taps: of the same frame everywhere it makes what R2D makes.
    R(2+1)D gets the spatial convolution and the norm after it; its temporal convolutions and their
    norms stay random. What torchvision does not have (those, calibration weights, BN2, the head)
    stays as it is and is reported missing; its `fc` is reported unused. Raises CheckpointError on a
    missing or unknown key or a wrong shape, and for a SlowFast, which its paper trains from random
    weights; the model is untouched then.
    """
    require_imagenet_has_it(model)
    state, own = tensors_of(state_dict), model.state_dict()
    factorised = any(".conv.spatial." in name for name in own)
    names = {
        key: torchvision_name(key, factorised=factorised)
        for key in state
        if not key.startswith("fc.")
    }
    unknown = [key for key, name in names.items() if name not in own]
    if unknown:
        raise CheckpointError(
            f"the network has no parameters for the ImageNet weights {some(unknown)}"
        )
    optional = {key for key in own if NOT_IN_IMAGENET.search(key)}
    if factorised:
        optional |= {key for key in own if NOT_IN_R2PLUS1D.search(key)}
    places = {key: name for key, name in names.items() if name}
    state |= {key: inflated(state[key], own[name]) for key, name in places.items()}
    return apply(
        model, own, state, place_weights(own, state, places), optional=optional, swapped=True
    )


def require_imagenet_has_it(model: nn.Module) -> None:
    """Raise CheckpointError for a network that ImageNet's weights do not go into: a SlowFast."""
    if any(name.startswith("lateral.") for name in model.state_dict()):
        raise CheckpointError(
            "a SlowFast starts from random weights, as in its paper, or from a SlowFast checkpoint; give one of these"
        )


def inflated(weight: Tensor, ours: Tensor) -> Tensor:
    """A kernel [Co, Ci, kh, kw] spread evenly over the taps of ours, [Co, Ci, kt, kh, kw]."""
    if ours.dim() != 5 or weight.dim() != 4:
        return weight
    taps = ours.shape[2]
    return (weight / taps)[:, :, None].repeat(1, 1, taps, 1, 1)


def place_weights(
    own: Mapping[str, Tensor], state: Mapping[str, Tensor], names: Mapping[str, str]
) -> dict[str, str]:
    """Check that each named tensor fits ours up to dimensions of size one; return `names`."""
    for key, name in names.items():
        given, wanted = tuple(state[key].shape), tuple(own[name].shape)
        if squeeze(given) != squeeze(wanted):
            raise CheckpointError(f"{key} has shape {given}, the network's {name} has {wanted}")
    return dict(names)


def apply(
    model: nn.Module,
    own: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    chosen: Mapping[str, str],
    *,
    optional: Collection[str],
    swapped: bool,
) -> LoadReport:
    """Copy the chosen tensors into the model, all or nothing; `optional` names may be missing."""
    taken = set(chosen.values())
    missing = [name for name in own if name not in taken]
    needed = [n for n in missing if n not in optional and not n.endswith("num_batches_tracked")]
    if needed:
        raise CheckpointError(
            f"weights of the network are missing from the checkpoint: {some(needed)}"
        )
    merged = dict(own)
    merged.update({name: state[key].reshape(own[name].shape) for key, name in chosen.items()})
    model.load_state_dict(merged)
    unused = tuple(key for key in state if key not in chosen)
    return LoadReport(tuple(chosen), unused, tuple(missing), swapped)


def squeeze(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its ones: public kernels carry dummy dimensions."""
    return tuple(size for size in shape if size != 1)


def weights_digest(model: nn.Module) -> str:
    """`state_digest` of a network's weights."""
    return state_digest(model.state_dict())


def state_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of all parameters and buffers by sorted name (batch counters left out), in hex.

    Of names that have changed the former one counts: features made before the change stay valid.
    """
    digest = hashlib.sha256()
    named = {name.replace(LATERAL, FORMER_LATERAL): tensor for name, tensor in state.items()}
    for name, tensor in sorted(named.items()):
        if name.endswith("num_batches_tracked"):
            continue
        flat = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {flat.dtype} {tuple(flat.shape)}\n".encode())
        digest.update(flat.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
