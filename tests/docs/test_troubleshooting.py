"""docs/help/troubleshooting.md quotes messages that the program has, and every family of its errors."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from helpers.documents.links import slug
from helpers.documents.parts import sections_of, tables_of
from helpers.paths import ROOT

PAGE = (ROOT / "docs" / "help" / "troubleshooting.md").read_text()
PACKAGES = ("pipeline", "feature_extraction", "bmn", "actionformer", "evaluation", "tada_loc")
# Where each file or folder (without the folders in it) that raises errors of ours is documented. A new
# folder has no heading here: say its messages on the page, and where.
HEADINGS = {
    "actionformer": "The Python libraries",
    "bmn": "The Python libraries",
    "evaluation": "The Python libraries",
    "evaluation/json_files.py": "Results and scoring",
    "evaluation/result_entries.py": "Results and scoring",
    "evaluation/result_rows.py": "Results and scoring",
    "evaluation/video_ids.py": "Results and scoring",
    "feature_extraction": "Features of a run",
    "feature_extraction/backbones/others": "Weights and pretrained networks",
    "feature_extraction/explaining": "The Python libraries",
    "feature_extraction/frame_listing.py": "Finding videos and frames",
    "feature_extraction/published": "Weights and pretrained networks",
    "feature_extraction/sampling.py": "The Python libraries",
    "feature_extraction/tensor_file.py": "Prediction and model files",
    "feature_extraction/transforms.py": "The Python libraries",
    "feature_extraction/video": "Videos that do not decode",
    "feature_extraction/video/content": "Videos that do not decode",
    "feature_extraction/video/hardware": "Videos that do not decode",
    "feature_extraction/weights": "Weights and pretrained networks",
    "pipeline/cli": "Commands and options",
    "pipeline/cli/data": "Commands and options",
    "pipeline/cli/results": "Commands and options",
    "pipeline/cli/stages": "Commands and options",
    "pipeline/configuration": "Configuration and keys",
    "pipeline/configuration/model_content.py": "Prediction and model files",
    "pipeline/configuration/sections": "Configuration and keys",
    "pipeline/data/annotations": "Annotations and times",
    "pipeline/data/annotations/columns": "Annotations and times",
    "pipeline/data/annotations/data_sets": "Annotations and times",
    "pipeline/data/annotations/foreign": "Annotations and times",
    "pipeline/data/annotations/label_tools": "Annotations and times",
    "pipeline/data/annotations/parts": "Annotations and times",
    "pipeline/data/batches.py": "Memory, disk and processes",
    "pipeline/data/beyond.py": "Annotations and times",
    "pipeline/data/clips": "Training",
    "pipeline/data/features": "Features of a run",
    "pipeline/data/features/imported.py": "Imported features",
    "pipeline/data/foreign": "Imported features",
    "pipeline/data/hold_out.py": "Configuration and keys",
    "pipeline/data/inputs.py": "Weights and pretrained networks",
    "pipeline/data/names.py": "Finding videos and frames",
    "pipeline/data/pooled": "Imported features",
    "pipeline/data/proxies": "Videos that do not decode",
    "pipeline/data/remote": "Cloud stores and the cache",
    "pipeline/data/scores": "Class scores",
    "pipeline/data/sequences": "Training",
    "pipeline/data/videos": "Videos that do not decode",
    "pipeline/data/videos/finding.py": "Finding videos and frames",
    "pipeline/data/videos/left_out.py": "Finding videos and frames",
    "pipeline/data/windows": "Training",
    "pipeline/errors.py": "Memory, disk and processes",
    "pipeline/model_files": "Prediction and model files",
    "pipeline/notebook": "Pages and files for other programs",
    "pipeline/pages": "Pages and files for other programs",
    "pipeline/prediction": "Prediction and model files",
    "pipeline/processes": "Memory, disk and processes",
    "pipeline/processes/device.py": "GPU and several processes",
    "pipeline/processes/distributed.py": "GPU and several processes",
    "pipeline/results": "Training",
    "pipeline/results/classification": "The run folder",
    "pipeline/results/figures.py": "The run folder",
    "pipeline/results/scoring": "Results and scoring",
    "pipeline/results/tables.py": "The run folder",
    "pipeline/results/validation": "Training",
    "pipeline/run_folder": "The run folder",
    "pipeline/run_folder/identity.py": "Memory, disk and processes",
    "pipeline/run_folder/joined": "The run folder",
    "pipeline/runs": "The run folder",
    "pipeline/runs/inputs": "The run folder",
    "pipeline/runs/inputs/contents.py": "Imported features",
    "pipeline/runs/soundness": "Training",
    "pipeline/shards.py": "Clusters and jobs",
    "pipeline/stages": "Training",
    "pipeline/stages/classify.py": "Features of a run",
    "pipeline/stages/finetune.py": "GPU and several processes",
    "pipeline/stages/heads": "Training",
    "pipeline/stages/import_features.py": "Imported features",
    "pipeline/tools": "Results and scoring",
    "pipeline/tools/compare": "Results and scoring",
    "pipeline/tools/config": "Configuration and keys",
    "pipeline/tools/explain": "Prediction and model files",
    "pipeline/tools/init": "Finding videos and frames",
    "pipeline/tools/predict": "Prediction and model files",
    "pipeline/tools/predict/files": "Prediction and model files",
    "pipeline/tools/proxies": "Videos that do not decode",
    "pipeline/tools/report": "Results and scoring",
    "pipeline/tools/submit": "Clusters and jobs",
    "pipeline/tools/sweep": "Results and scoring",
    "pipeline/tools/why": "Results and scoring",
    "pipeline/training": "Training",
    "pipeline/training/logs": "Installation and optional packages",
    "pipeline/training/networks": "Weights and pretrained networks",
    "pipeline/writers": "Pages and files for other programs",
    "pipeline/writers/film": "Pages and files for other programs",
}
# Caught where they are raised, and reported in other words.
INTERNAL = {"LateSeekError", "UnplannableError"}


def quotes(section: str) -> list[str]:
    """The messages in the first column of its tables; each row says what to do."""
    rows = [
        row.cells
        for table in tables_of(section)
        if table.titles[0] == "Message"
        for row in table.rows
    ]
    assert all(re.fullmatch("`[^`]+`", cells[0]) and cells[1] for cells in rows), rows
    return [cells[0].strip("`") for cells in rows]


@cache
def sources() -> dict[str, ast.Module]:
    """Every file of the program, parsed."""
    paths = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in paths}


@cache
def texts(path: str) -> list[str]:
    """The texts in a file but its docstrings; `...` stands for what is filled in."""
    found, docstrings = [], set()
    for node in ast.walk(sources()[path]):
        if isinstance(node, ast.Expr):
            docstrings.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [
                part.value if isinstance(part, ast.Constant) else "..." for part in node.values
            ]
            found.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and node not in docstrings:
            found.append(str(node.value))
    return found


@cache
def own_errors() -> frozenset[str]:
    """The exceptions that the program defines, and raises to its users."""
    names = {
        node.name
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Error", "Interrupted"))
    }
    return frozenset(names - INTERNAL)


@cache
def raising() -> tuple[str, ...]:
    """The files that make an error of ours."""
    found = []
    for path, tree in sources().items():
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        names = {
            func.id if isinstance(func, ast.Name) else getattr(func, "attr", "") for func in calls
        }
        if names & own_errors():
            found.append(path)
    return tuple(found)


def entry(path: str) -> str | None:
    """The entry of HEADINGS that a file is in: its own, or that of its folder."""
    return next((name for name in (path, str(Path(path).parent)) if name in HEADINGS), None)


def test_every_quoted_message_is_in_the_program():
    everything = "\0".join(text for path in sources() for text in texts(path))
    quoted = [quote for section in sections_of(PAGE).values() for quote in quotes(section)]
    assert len(quoted) > 150 and len(quoted) == len(set(quoted))
    missing = [quote for quote in quoted if quote not in everything]
    assert not missing, "the program does not say this (any more)"


def test_every_file_that_raises_an_error_has_a_heading():
    homeless = [path for path in raising() if entry(path) is None]
    assert not homeless, (
        "say on docs/help/troubleshooting.md what these messages mean, and in HEADINGS where"
    )


@pytest.mark.parametrize("name", HEADINGS)
def test_each_family_is_quoted_under_its_heading(name):
    files = [path for path in raising() if entry(path) == name]
    assert files, f"{name} raises no error (any more)"
    quoted = quotes(sections_of(PAGE)[HEADINGS[name]])
    assert any(quote in text for path in files for text in texts(path) for quote in quoted), (
        f"no message of {name} is quoted under {HEADINGS[name]!r}"
    )


def test_the_table_of_symptoms_leads_to_every_section():
    sections = sections_of(PAGE)
    links = re.findall(r"\(#([a-z0-9-]+)\)", sections["Find your problem"])
    anchors = {slug(name): name for name in sections}
    assert set(links) <= set(anchors)
    assert {anchors[link] for link in links} == {
        name for name, section in sections.items() if quotes(section)
    }
