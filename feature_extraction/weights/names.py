"""Our names of the weights of public checkpoints: TAdaConv's code, PySlowFast and torchvision."""

from __future__ import annotations

import re

# Tails of a residual block's names to ours. R(2+1)D's b1, b2 and calibrations of them as the public
# code would name them: no such checkpoint was published.
PUBLIC_BLOCK = {
    "short_cut": "shortcut.conv",
    "short_cut_bn": "shortcut.norm",
    "conv_branch.a": "reduce.conv",
    "conv_branch.a_bn": "reduce.norm",
    "conv_branch.b": "conv",
    "conv_branch.b_bn": "aggregate.norm",
    "conv_branch.b_avgpool_bn": "aggregate.pooled_norm",
    "conv_branch.b1": "conv.spatial",
    "conv_branch.b1_bn": "conv.between.norm",
    "conv_branch.b2": "conv.temporal",
    "conv_branch.b2_bn": "aggregate.norm",
    "conv_branch.c": "expand.conv",
    "conv_branch.c_bn": "expand.norm",
}
ROUTES = {"b": "conv", "b1": "conv.spatial", "b2": "conv.temporal"}
PUBLIC_BLOCK |= {
    f"conv_branch.{theirs}_rf.{part}": f"{ours}.route.{part}"
    for theirs, ours in ROUTES.items()
    for part in ("g", "a", "bn", "b")
}
PUBLIC_STEM = {"a": "stem.conv", "a_bn": "stem.norm"}
PUBLIC_LATERAL = {"conv_fast_to_slow": "conv", "bn": "norm"}
PYSLOWFAST_STEM = {"conv": "stem.conv", "bn": "stem.norm"}
PYSLOWFAST_LATERAL = {"conv_f2s": "conv", "bn": "norm"}
PYSLOWFAST_BLOCK = {
    "branch1": "shortcut.conv",
    "branch1_bn": "shortcut.norm",
    "branch2.a": "reduce.conv",
    "branch2.a_bn": "reduce.norm",
    "branch2.b": "conv",
    "branch2.b_bn": "aggregate.norm",
    "branch2.c": "expand.conv",
    "branch2.c_bn": "expand.norm",
}
LATERAL = "lateral."
FORMER_LATERAL = "joints."  # words: ok (the earlier name of our SlowFast's lateral connections)
PATHWAYS = ("slow.", "fast.")
HEADS = {
    "head.out": "head.classifiers.0",
    "head.linear1": "head.classifiers.0",
    "head.linear2": "head.classifiers.1",
    "head.out1": "head.classifiers.0",
    "head.out2": "head.classifiers.1",
    "head.projection": "head.classifiers.0",
    "head.projection_verb": "head.classifiers.0",
    "head.projection_noun": "head.classifiers.1",
}
TORCHVISION_BLOCK = {
    "conv1": "reduce.conv",
    "bn1": "reduce.norm",
    "conv2": "conv",
    "bn2": "aggregate.norm",
    "conv3": "expand.conv",
    "bn3": "expand.norm",
    "downsample.0": "shortcut.conv",
    "downsample.1": "shortcut.norm",
}
TORCHVISION_STEM = {"conv1": "stem.conv", "bn1": "stem.norm"}
# Of R(2+1)D the spatial convolution and the norm after it are ImageNet's (Appendix B).
FACTORISED = {"conv": "conv.spatial", "aggregate.norm": "conv.between.norm"}


def public_name(key: str) -> str | None:
    """Our name of a key of TAdaConv's code, of PySlowFast or of ours once; None of no network's.

    A pathway's weights are named slow. and fast. as in our SlowFast; `one_pathway` takes the name
    into a network that has the slow one alone.
    """
    if key.startswith(FORMER_LATERAL):
        return "lateral." + key.removeprefix(FORMER_LATERAL)
    owner, _, leaf = key.rpartition(".")
    name = HEADS.get(owner) or _tadaconv_name(owner) or _pyslowfast_name(owner)
    return name and f"{name}.{leaf}"


def one_pathway(name: str) -> str:
    """The name of a slow pathway's weight in a network that is nothing else."""
    return name.removeprefix(PATHWAYS[0])


def torchvision_name(key: str, *, factorised: bool = False) -> str | None:
    """Our name of a torchvision ResNet's key; None for its classifier and for foreign keys.

    factorised: of a network whose middle is a spatial and a temporal convolution.
    """
    owner, _, leaf = key.rpartition(".")
    if owner in TORCHVISION_STEM:
        return f"{TORCHVISION_STEM[owner]}.{leaf}"
    found = re.fullmatch(r"layer([1-9])\.(\d+)\.(.+)", owner)
    if found is None or found[3] not in TORCHVISION_BLOCK:
        return None
    tail = TORCHVISION_BLOCK[found[3]]
    if factorised:
        tail = FACTORISED.get(tail, tail)
    return f"stages.{int(found[1]) - 1}.{found[2]}.{tail}.{leaf}"


def _tadaconv_name(owner: str) -> str | None:
    lateral = re.fullmatch(r"backbone\.slowfast_fusion([1-9])\.(\w+)", owner)
    if lateral:
        tail = PUBLIC_LATERAL.get(lateral[2])
        return tail and f"lateral.{int(lateral[1]) - 1}.{tail}"
    found = re.fullmatch(r"backbone\.(slow_|fast_|)conv([1-9])\.(.+)", owner)
    if found is None:
        return None
    pathway = found[1].replace("_", ".")
    if found[2] == "1":
        tail = PUBLIC_STEM.get(found[3])
        return tail and pathway + tail
    block = re.fullmatch(r"res_([1-9]\d*)\.(.+)", found[3])
    if block is None or block[2] not in PUBLIC_BLOCK:
        return None
    tail = PUBLIC_BLOCK[block[2]]
    return f"{pathway}stages.{int(found[2]) - 2}.{int(block[1]) - 1}.{tail}"


def _pyslowfast_name(owner: str) -> str | None:
    lateral = re.fullmatch(r"s([1-9])_fuse\.(\w+)", owner)
    if lateral:
        tail = PYSLOWFAST_LATERAL.get(lateral[2])
        return tail and f"lateral.{int(lateral[1]) - 1}.{tail}"
    stem = re.fullmatch(r"s1\.pathway([01])_stem\.(\w+)", owner)
    if stem:
        tail = PYSLOWFAST_STEM.get(stem[2])
        return tail and PATHWAYS[int(stem[1])] + tail
    block = re.fullmatch(r"s([2-9])\.pathway([01])_res(\d+)\.(.+)", owner)
    if block is None or block[4] not in PYSLOWFAST_BLOCK:
        return None
    tail = PYSLOWFAST_BLOCK[block[4]]
    return f"{PATHWAYS[int(block[2])]}stages.{int(block[1]) - 2}.{block[3]}.{tail}"
