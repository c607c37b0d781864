"""Configurations: the shipped ones load, and a mistake gets one line that names it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.configuration.keys import known_keys
from pipeline.configuration.reading import (
    SHIPPED,
    dump_config,
    find_config,
    load_config,
    parse_overrides,
)
from pipeline.configuration.thresholds import parse_iou
from pipeline.errors import UsageError

NAMES = sorted(path.stem for path in SHIPPED.glob("*.yaml"))


SLOWFAST = [f"{name}_slowfast{tada}" for name in ("hacs", "ek100") for tada in ("", "_tada")]


def test_the_protocols_and_the_demo_are_shipped():
    assert {
        "hacs", "ek100", "k400", "ssv2", "demo", "small", "thumos14", "activitynet", *SLOWFAST,
        "hacs_actionformer", "ek100_actionformer",
    } == set(NAMES)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_shipped_configs_load_and_survive_a_round_trip(name, tmp_path):
    config = load_config(find_config(name))
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_config(config))
    assert load_config(copy) == config


def test_the_papers_numbers_are_in_the_configs():
    hacs, ek100 = (load_config(find_config(name)) for name in ("hacs", "ek100"))
    assert (hacs.extract.fps, hacs.extract.stride, hacs.extract.short_side) == (30, 16, 128)
    assert (ek100.extract.fps, ek100.extract.stride, ek100.extract.short_side) == (60, 8, 224)
    assert hacs.eval.iou == tuple(np.linspace(0.5, 0.95, 10))
    assert ek100.eval.iou == tuple(np.linspace(0.1, 0.5, 5))
    assert ek100.finetune.base_lr == 0.48 and ek100.finetune.base_batch == 256
    assert hacs.finetune.base_lr == 2e-4 and hacs.finetune.base_batch == 512
    assert (hacs.proposals.cls_power, hacs.proposals.reg_power) == (1.2, 1.2)
    assert (ek100.proposals.low, ek100.proposals.high) == (0.25, 0.9)


def test_what_the_public_code_does_is_in_the_configs():
    hacs, ek100, k400, ssv2 = (
        load_config(find_config(name)) for name in ("hacs", "ek100", "k400", "ssv2")
    )
    assert all(c.finetune.short_segments == "inside" for c in (hacs, ek100, k400, ssv2))
    assert (ssv2.finetune.warmup_lr, k400.finetune.warmup_lr) == (1e-4, 0.01)
    assert (ek100.bmn.positions, ek100.bmn.windows_to_end) == ("interpolate", True)
    assert (ek100.bmn.warmup_lr, hacs.bmn.warmup_lr) == (1e-5, 1e-4)
    for config in (hacs, ek100, k400, ssv2):
        assert config.finetune.short_side == (256, 320) and config.finetune.keep == "last"
    for config in (hacs, ek100):
        assert config.proposals.boundary_power == 0 and config.bmn.keep == "last"


@pytest.mark.parametrize("name", SLOWFAST)
def test_a_slowfast_protocol_differs_in_network_clip_and_row_alone(name):
    config = load_config(find_config(name))
    same = load_config(find_config(name.split("_")[0])).model_dump()
    network = name.replace(name.split("_")[0], "").replace("_slowfast", "slowfast_8x8")
    assert config.backbone.name == network
    assert config.backbone.pretrained == f"data/weights/{network}_k400.pyth"
    mine = config.model_dump()
    for section in ("finetune", "extract"):
        assert (mine[section]["frames"], mine[section]["interval"]) == (32, 2)
        same[section] |= {"frames": 32, "interval": 2}
    assert mine["eval"]["paper"] != same["eval"]["paper"]
    for part, key in (("backbone", "name"), ("backbone", "pretrained"), ("eval", "paper")):
        same[part][key] = mine[part][key]
    assert mine == same


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("bmn.temporal_scal=3", "did you mean bmn.temporal_scale"),
        ("extract.fsp=60", "did you mean extract.fps"),
        ("bmn.epochs=-1", "bmn.epochs = -1"),
        ("bmn.epochs=many", "bmn.epochs = 'many'"),
        ("backbone.depth=[1, x]", "backbone.depth = "),
        ("extract.fps=.inf", "extract.fps"),
        ("eval.iou=0.5:1", "start:step:end"),
        ("dataset.format=foo", "dataset.format = 'foo'"),
        ("finetune.crop=999", "crop 999"),
        ("finetune.epochs=5", "finetune: 5 epochs with a warm-up of 8: lower warmup_epochs"),
        ("finetune.short_side=[320, 256]", "the smaller comes first"),
        ("bmn.hidden_1d=6", "groups 4"),
        ("dataset=3", "dataset"),
        ("bmn={epochs: 3}", "bmn is a section"),
        ("nonsense", "section.key=value"),
        ("a.b=[", "not valid YAML"),
        ("a=&x [*x]", "not valid YAML"),
        ("extract.fps=1:30", "extract.fps = '1:30': input should be a number"),
        ("extract.stride=1_000", "extract.stride = '1_000': input should be a number"),
        ("extract.stride='8'", "extract.stride = '8': input should be a number"),
        ("extract.stride=true", "extract.stride = True: input should be a number"),
        ("extract.stride=8.5", "extract.stride = 8.5"),
        ("extract.compile=yes", "extract.compile = 'yes': input should be true or false"),
        ("extract.compile=1", "extract.compile = 1: input should be true or false"),
        ("backbone.global_context=off", "input should be true or false"),
        ("backbone.kernels=[3, '3']", "backbone.kernels = '3': input should be a number"),
        ("eval.iou=['0.5']", "tIoU"),
        ("eval.paper={mAP: {average: 1, average: 2}}", "mAP.average appears twice"),
        ("eval.paper={mAP: {0.5: 1}}", "not valid YAML"),
    ],
)
def test_mistakes_are_named(assignment, said):
    with pytest.raises(UsageError) as caught:
        load_config(find_config("hacs"), parse_overrides([assignment]))
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 2


def test_a_number_may_be_written_in_every_way_of_the_core_schema():
    written = ["finetune.base_lr=1e-3", "bmn.epochs=0o17", "extract.stride=0x1F", "bmn.seed=0123"]
    written += ["extract.fps=3e1", "bmn.batch_size=1e1", "dataset.name=1:30"]
    config = load_config(find_config("hacs"), parse_overrides(written))
    assert (config.finetune.base_lr, config.bmn.epochs, config.extract.stride) == (0.001, 15, 31)
    assert (config.bmn.seed, config.extract.fps, config.bmn.batch_size) == (123, 30.0, 10)
    assert type(config.bmn.batch_size) is int and config.dataset.name == "1:30"


@pytest.mark.parametrize("kind", [bool, int, float])
def test_no_key_takes_text_for_a_truth_value_or_a_number(kind):
    """Whatever is added: `'1'` is text, and pydantic alone would make a number of it."""
    config = dict(load_config(find_config("ek100")).detection())
    keys = [key for key in known_keys() if type(value_of(config, key)) is kind]
    assert keys
    for key in keys:
        with pytest.raises(UsageError, match=re.escape(f"{key} = '1'")):
            load_config(find_config("ek100"), {key: "1"})


def value_of(config: dict, key: str) -> object:
    section, *parts = key.split(".")
    value = config[section].model_dump()
    for part in parts:
        value = value[part]
    return value


@pytest.mark.parametrize(
    "text", ["yes", "1:30", "1e-3", "null", "0o17", "1_000", " a ", "a\nb\x85"]
)
def test_text_stays_text_in_what_a_run_folder_keeps(text, tmp_path):
    keys = {"dataset.name": text, "dataset.train_subset": text, "backbone.pretrained": text}
    config = load_config(find_config("hacs"), keys)
    path = tmp_path / "copy.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert load_config(path) == config and config.dataset.train_subset == text


def test_a_key_that_stands_twice_is_named_with_the_file_and_both_lines(tmp_path):
    path = tmp_path / "own.yaml"
    lines = find_config("demo").read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("  epochs:"))
    path.write_text("\n".join([*lines[: first + 1], "  epochs: 3", *lines[first + 1 :]]))
    said = f"{path}: finetune.epochs appears twice, in lines {first + 1} and {first + 2}"
    with pytest.raises(UsageError, match=re.escape(said)):
        load_config(path)


@pytest.mark.parametrize(
    "text",
    ["", "a: b", "- 1", "a: [", "\0", "x: &a [*a]", "[" * 5000, "!!python/object:os.system x"],
)
def test_a_file_that_is_no_configuration_is_refused(text, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_config(path)
    assert str(path) in caught.value.message


def test_a_yaml_bomb_does_not_grow(tmp_path):
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(UsageError, match="aliases"):
        load_config(path)


def test_unknown_config_names_the_shipped_ones():
    with pytest.raises(UsageError, match="ek100"):
        find_config("epic")
    with pytest.raises(UsageError, match="no such file"):
        find_config("missing.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1:0.1:0.5", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("0.3,0.5,0.7", (0.3, 0.5, 0.7)),
        ("0.5", (0.5,)),
        ([0.5, 0.75], (0.5, 0.75)),
        (0.5, (0.5,)),
        ("0.1:0.3:0.5", (0.1, 0.4)),
    ],
)
def test_iou_forms(text, expected):
    assert parse_iou(text) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "0.5:0.1",
        "0.1:0:0.5",
        "0.5:0.1:0.1",
        "0",
        "1.5",
        "nan",
        "0.5,0.5",
        "0.7,0.5",
        "0.1:-0.1:0.5",
        "0.1:1e-9:0.5",
        "inf",
        "0.1:nan:0.5",
        None,
        True,
        {},
        "1:2:3:4",
    ],
)
def test_wrong_iou_is_refused(text):
    with pytest.raises(ValueError, match="tIoU"):
        parse_iou(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.1:0.5:0.1", "write 0.1:0.1:0.5"),
        ("0.5:0.95:0.05", "write 0.5:0.05:0.95"),
        ("0.3:0.7:0.1", "write 0.3:0.1:0.7"),
        ("0.5:0.1:0.5", "write 0.5 for that"),
        ("0:0.1:0.5", "write 0.1:0.1:0.5 without the 0"),
        ("10:10:50", "in percent? write 0.1:0.1:0.5"),
        ("30,50,70", "in percent? write 0.3,0.5,0.7"),
        ("0.1:0.1:1.2", "at most 1"),
        ("0.1:0:0.5", "the step between tIoU thresholds, in the middle, is above 0"),
        ("0.1:-0.1:0.5", "the step between tIoU thresholds, in the middle, is above 0"),
        ("0.1:0.5", "write start:step:end"),
        ("0.1:0.0001:1", "more than 1000"),
    ],
)
def test_what_is_not_start_step_end_gets_the_right_form(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_iou(text)
    written = re.search(r"write ([0-9.:,]+\d)", said)
    if written:
        assert len(parse_iou(written[1])) >= 1


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 10))
def test_what_is_advised_is_taken(start, middle, last):
    try:
        found = parse_iou(f"{start / 10}:{middle / 10}:{last / 10}")
        assert start < last and found[0] == start / 10
    except ValueError as error:
        advice = re.search(r"write ([0-9.:]+\d)", str(error))
        assert advice is None or parse_iou(advice[1])


@pytest.mark.parametrize("name", ["eval.iou=0.3:0.15:0.7", "eval.iou=0.3:0.1:0.7"])
def test_an_end_that_the_steps_miss_is_said(name, capsys):
    load_config(find_config("hacs"), parse_overrides([name]))
    said = capsys.readouterr().err
    missed = "tIoU thresholds 0.3:0.15:0.7: no step ends at 0.7; the thresholds are 0.3, 0.45, 0.6"
    assert (missed in said) == ("0.15" in name) and ("no step" in said) == ("0.15" in name)


@given(st.text(max_size=30))
def test_iou_never_fails_otherwise(text):
    try:
        values = parse_iou(text)
    except ValueError:
        return
    assert values and all(0 < value <= 1 for value in values)


@given(st.text(max_size=60))
def test_overrides_never_fail_otherwise(text):
    try:
        load_config(find_config("hacs"), parse_overrides([text]))
    except UsageError:
        return


def test_the_published_figures_are_in_the_configs():
    """BMN's as OpenTAD's page has them, ActionFormer's its own too; shown with the thresholds and the subsets they are of."""
    thumos, anet = (load_config(find_config(name)) for name in ("thumos14", "activitynet"))
    assert thumos.eval.iou == thumos.eval.paper_iou == tuple(np.linspace(0.3, 0.7, 5))
    assert anet.eval.iou == anet.eval.paper_iou == tuple(np.linspace(0.5, 0.95, 10))
    assert (thumos.dataset.train_subset, thumos.dataset.eval_subset) == ("validation", "test")
    assert thumos.dataset.exclude_videos == ("video_test_0000270", "video_test_0001496")
    assert thumos.eval.ignore_labels == ("Ambiguous",) and anet.eval.ignore_labels == ()
    for rows in (thumos.eval.published, anet.eval.published):
        assert [("ActionFormer" in name, "OpenTAD" in name) for name in rows] == [
            (True, False), (True, True), (False, True), (False, True)
        ]  # fmt: skip
    # averages are of the thresholds, where all of them were published
    for row in thumos.eval.published.values():
        figures = [row[f"{tiou:g}"] for tiou in thumos.eval.iou]
        assert sum(figures) / 5 == pytest.approx(row["average"], abs=0.006)
    for config in (thumos, anet):
        assert config.eval.paper_dataset == config.dataset.name
        assert config.detection() and config.proposals.boundary_power == 0
    assert (thumos.bmn.temporal_scale, thumos.bmn.duration_scale, thumos.extract.stride) == (
        128,
        64,
        4,
    )
    assert (anet.bmn.mode, anet.bmn.temporal_scale, anet.bmn.duration_scale) == (
        "rescale",
        128,
        128,
    )


def test_configs_are_commented():
    for name in NAMES:
        text = Path(SHIPPED / f"{name}.yaml").read_text()
        assert "tada-loc" in text.split("\ndataset:")[0], f"{name}: opens with its command"


OLD_NAMES = [
    ("finetune.average", "finetune.ema_decay", 0.9),
    ("finetune.accumulate", "finetune.gradient_accumulation", 2),
    ("finetune.recompute", "finetune.activation_checkpointing", True),
    ("bmn.average", "bmn.ema_decay", 0.9),
    ("bmn.accumulate", "bmn.gradient_accumulation", 2),
]


@pytest.mark.parametrize(("old", "new", "value"), OLD_NAMES)
def test_a_renamed_key_is_read_and_its_new_name_said(old, new, value, tmp_path, capsys):
    expected = load_config(find_config("hacs"), {new: value})
    assert capsys.readouterr().err == ""
    assert load_config(find_config("hacs"), {old: value}) == expected
    assert capsys.readouterr().err == f"renamed keys: {old} is now {new}\n"
    # A file of before, under the old names; of a run folder's own no word is reported at every command.
    section, name = new.split(".")
    path = tmp_path / "mine.yaml"
    path.write_text(dump_config(expected).replace(f" {name}:", f" {old.split('.')[1]}:"))
    assert load_config(path) == expected
    said = capsys.readouterr().err
    assert said.startswith(f"{path}: renamed keys: ") and f"{old} is now {new}" in said
    assert said.count("\n") == 1
    (tmp_path / "finetune").mkdir()
    (tmp_path / "finetune/manifest.json").touch()
    kept = path.rename(tmp_path / "config.yaml")
    assert load_config(kept) == expected and capsys.readouterr().err == ""
    path = kept
    # What is asked for wins over the file, whichever name each has.
    default = load_config(find_config("hacs")).model_dump()[section][name]
    for key in (old, new):
        assert load_config(path, {key: default}).model_dump()[section][name] == default != value


@pytest.mark.parametrize(("old", "new", "value"), OLD_NAMES)
def test_a_key_with_both_its_names_is_refused(old, new, value, tmp_path):
    said = f"{old} and {new} are both given: {old} is the old name of {new}; keep {new}"
    with pytest.raises(UsageError, match=said):
        load_config(find_config("hacs"), {old: value, new: value})
    section = new.rpartition(".")[0]
    path = tmp_path / "both.yaml"
    text = dump_config(load_config(find_config("hacs")))
    path.write_text(
        text.replace(f"\n{section}:\n", f"\n{section}:\n  {old.split('.')[1]}: {value}\n")
    )
    with pytest.raises(UsageError, match=said):
        load_config(path)


def test_a_wrong_value_of_a_renamed_key_is_named_as_it_is_called_now():
    with pytest.raises(UsageError, match=r"bmn\.ema_decay = 7"):
        load_config(find_config("hacs"), {"bmn.average": 7})


@pytest.mark.parametrize("text", ["finetune: 3\nbmn: []\n", "finetune:\n"])
def test_old_names_are_looked_for_in_sections_alone(text, tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        load_config(path)


@pytest.mark.parametrize(("key", "value"), [("bmn.epoch", 3), ("bmn.epochs", "x"), ("nokey", 1)])
def test_what_is_wrong_on_the_command_line_is_not_said_of_the_file(key, value):
    with pytest.raises(UsageError, match=re.escape(key)) as caught:
        load_config(find_config("demo"), {key: value})
    assert ".yaml" not in caught.value.message


def test_what_is_wrong_in_the_file_names_it(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(find_config("demo").read_text().replace("epochs:", "epoch:", 1))
    with pytest.raises(UsageError, match=r"own\.yaml: unknown key"):
        load_config(path, {"bmn.batch_size": 4})


def test_a_section_that_a_run_keeps_as_null_takes_keys(tmp_path):
    kept = tmp_path / "config.yaml"
    kept.write_text(dump_config(load_config(find_config("hacs"), quiet=True)))
    assert "\ndetections: null" in kept.read_text()
    config = load_config(kept, {"detections.sigma": 0.3, "actionformer.width": 64}, quiet=True)
    assert config.detections.sigma == 0.3 and config.actionformer.width == 64
