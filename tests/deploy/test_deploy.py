"""The files for clusters: as their schemas want them, with commands that exist and shards that are all the videos."""

from __future__ import annotations

import importlib
import re
import shlex

import pytest
import yaml
from helpers.paths import ROOT

from pipeline.cli.commands import main
from pipeline.shards import shard_of

KUBERNETES = yaml.safe_load((ROOT / "deploy/kubernetes.yaml").read_text())
SKYPILOT = yaml.safe_load((ROOT / "deploy/skypilot.yaml").read_text())
(CONTAINER,) = KUBERNETES["spec"]["template"]["spec"]["containers"]
# What SkyPilot takes, of what its documents name (https://docs.skypilot.co/en/latest/reference/yaml-spec.html).
TASK = {
    "name",
    "workdir",
    "num_nodes",
    "resources",
    "envs",
    "secrets",
    "volumes",
    "file_mounts",
    "setup",
    "run",
}
RESOURCES = {
    "infra", "accelerators", "cpus", "memory", "instance_type", "use_spot", "disk_size", "disk_tier", "network_tier",
    "image_id", "ports", "labels", "autostop", "any_of", "ordered", "job_recovery",
}  # fmt: skip


def is_a_command(words: list[str]) -> None:
    assert words[0] == "tada-loc"
    context = main.commands[words[1]].make_context(words[1], words[2:])
    assert str(context.params["run_dir"]).startswith("/") and context.params["config"].startswith(
        "/"
    )


@pytest.mark.parametrize(
    "version", ["1.33.0", "1.37.0"]
)  # backoffLimitPerIndex is stable since 1.33
def test_kubernetes_takes_the_job(version):
    kubernetes_validate = importlib.import_module("kubernetes_validate")
    kubernetes_validate.validate(KUBERNETES, version, strict=True)
    wrong = {**KUBERNETES, "spec": {**KUBERNETES["spec"], "completion": 8}}
    with pytest.raises(kubernetes_validate.ValidationError, match="completion"):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_the_pods_are_as_many_as_they_are_told():
    spec = KUBERNETES["spec"]
    given = {variable["name"]: variable["value"] for variable in CONTAINER["env"]}
    assert (
        spec["completionMode"] == "Indexed" and spec["template"]["spec"]["restartPolicy"] == "Never"
    )
    assert int(given["JOB_COMPLETIONS"]) == spec["completions"] == spec["parallelism"]
    mounted = {mount["name"] for mount in CONTAINER["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["template"]["spec"]["volumes"]}


def test_the_commands_exist():
    is_a_command(CONTAINER["command"])
    is_a_command(shlex.split(SKYPILOT["run"]))


def test_skypilot_takes_the_task():
    assert SKYPILOT.keys() <= TASK and SKYPILOT["resources"].keys() <= RESOURCES
    assert re.fullmatch(r"[A-Z]\w*:\d+", SKYPILOT["resources"]["accelerators"])
    assert isinstance(SKYPILOT["resources"]["use_spot"], bool) and SKYPILOT["num_nodes"] > 1
    for path, mount in SKYPILOT["file_mounts"].items():
        assert path.startswith("/") and mount.keys() <= {"source", "name", "store", "mode"}
        assert re.match(r"(s3|gs|r2)://", mount["source"])
        assert mount["mode"] in {"MOUNT", "COPY", "MOUNT_CACHED"}
    named = set(re.findall(r"\$\{?([A-Z_]+)", SKYPILOT["setup"] + SKYPILOT["run"]))
    assert named <= SKYPILOT["envs"].keys()


@pytest.mark.parametrize(
    ("count", "variables"),
    [
        (KUBERNETES["spec"]["completions"], ("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS")),
        (SKYPILOT["num_nodes"], ("SKYPILOT_NODE_RANK", "SKYPILOT_NUM_NODES")),
    ],
)
def test_the_shards_are_all_the_videos(count, variables):
    found = [
        shard_of(None, dict(zip(variables, (str(place), str(count)), strict=True)))
        for place in range(count)
    ]
    assert [(shard.index, shard.count) for shard in found] == [(i, count) for i in range(count)]
