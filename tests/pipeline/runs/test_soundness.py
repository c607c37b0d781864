"""What a later stage would refuse is refused before the first: by annotations, settings and missing videos."""

from __future__ import annotations

import json

import pytest
from helpers.activitynet_files import entry, write_json
from helpers.small_runs import SMALL, error_line, options, tada

from pipeline.configuration.reading import find_config, load_config, parse_overrides
from pipeline.errors import UsageError, UserError
from pipeline.runs.graph import of_commands, row
from pipeline.runs.run import Run
from pipeline.runs.soundness.ahead import require_sound, stages_ahead
from pipeline.runs.ways import in_order

ALL = [stage.name for stage in in_order()]
ROWS = [
    "a,0,2,x,training", "a,3,5,y,training", "b,1,4,x,training", "c,0,3,y,training",
    "d,1,2,x,validation", "e,2,4,y,validation",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Annotations, and a file per video: nothing of these looks inside."""
    (tmp_path / "videos").mkdir()
    for video in "abcde":
        (tmp_path / f"videos/{video}.mp4").touch()
    write_rows(tmp_path, ROWS)
    return tmp_path


def write_rows(folder, rows):
    text = "\n".join(["video,start,end,label,subset", *rows])
    (folder / "annotations.csv").write_text(text + "\n")


def keys(folder, *more):
    own = [
        f"dataset.annotations={folder / 'annotations.csv'}",
        f"dataset.videos={folder / 'videos'}",
    ]
    return [*SMALL, *own, *more]


def a_run(folder, *more, config="demo", force=False):
    settings = load_config(find_config(config), parse_overrides(keys(folder, *more)))
    return Run(folder / "run", settings, force)


def finish(run, *names):
    """Stages that are done, as far as their manifests say."""
    for name in names:
        opened = run.facts().stage_with(row(name), {}).open()
        for output in opened.outputs:
            (opened.folder / output).touch()
        opened.finish()


def refusal(run, *stages):
    with pytest.raises(UserError) as caught:
        require_sound(run, stages or in_order())
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_sound_run_is_not_refused(folder):
    require_sound(a_run(folder), in_order())
    require_sound(a_run(folder, "dataset.hold_out=0.5", "bmn.keep=best"), in_order())
    assert not (folder / "run").exists(), "nothing is written"


def test_a_subset_without_any_segment(folder):
    path = write_json(folder / "a.json", {"a": entry([(1, 2, "x")]), "b": entry([], "validation")})
    more = (f"dataset.annotations={path}", "dataset.format=activitynet")
    said = refusal(a_run(folder, *more, "finetune.keep=last"))
    assert said == "dataset.eval_subset 'validation': no annotation to evaluate against"
    path = write_json(folder / "a.json", {"a": entry([]), "b": entry([(1, 2, "x")], "validation")})
    assert (
        refusal(a_run(folder, *more)) == "dataset.train_subset 'training': no segment to train on"
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["bmn.temporal_scale=2", "bmn.duration_scale=1", "bmn.window_step=1", "extract.fps=30",
          "extract.stride=1"], "bmn: no window of 2 positions holds a whole training segment"),
        (["extract.decoder=nvdec", "runtime.device=cpu"], "use --decoder pyav"),
        (["extract.decoder=decord"], "extract.decoder = 'decord': it is not installed"),
        (["classify.mode=proposal", "classify.source=video", "extract.decoder=decord"], "decord"),
        (["dataset.hold_out=0.2", "finetune.keep=last", "bmn.keep=last"], "dataset.hold_out=0.2"),
        (["runtime.skip=nowhere.txt"], "nowhere.txt: cannot be read"),
        (["dataset.videos=nowhere"], "nowhere: no such folder of videos"),
        (["dataset.eval_subset=testing"], "no video of subset 'testing'"),
    ],
)  # fmt: skip
def test_settings_that_a_later_stage_would_refuse(folder, monkeypatch, more, said):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert said in refusal(a_run(folder, *more))


def test_a_decoder_that_is_there_is_not_refused(folder, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    require_sound(a_run(folder, "extract.decoder=decord"), in_order())


def test_windows_are_refused_only_where_no_video_could_have_one_that_fits(folder):
    """Durations are not known: a window further on may be there, and holds what lies in it alone."""
    small = ("bmn.temporal_scale=8", "bmn.duration_scale=4", "bmn.window_step=8", "extract.fps=8")
    stride = "extract.stride=8"  # windows of 8 s: [0, 8], [8, 16], ...
    for row_, fits in (("a,7,9", False), ("a,8,16", True), ("a,100,103", True), ("a,90,99", False)):
        write_rows(folder, [f"{row_},x,training", "d,1,2,x,validation"])
        run = a_run(folder, *small, stride, "finetune.keep=last", "bmn.keep=last")
        if fits:
            require_sound(run, in_order())
        else:
            assert "no window of 8 positions" in refusal(run)
    require_sound(
        a_run(folder, *small, stride, "bmn.mode=rescale", "bmn.window_step=8"), in_order()
    )


def test_the_epoch_needs_segments_that_choose_it(folder):
    write_rows(folder, [*ROWS[:4], "d,2,2,x,validation"])
    for name in ("finetune", "bmn"):
        other = {"finetune": "bmn", "bmn": "finetune"}[name]
        more = (f"{name}.keep=best", f"{other}.keep=last")
        assert "no segment to choose the epoch by" in refusal(a_run(folder, *more))
        require_sound(a_run(folder, *more, "dataset.hold_out=0.3"), in_order())
    # BMN's windows: those that train hold a segment, those that judge hold none.
    write_rows(folder, [*ROWS[:4], "d,7,9,x,validation"])
    windows = ("bmn.temporal_scale=8", "bmn.duration_scale=4", "bmn.window_step=8")
    more = (*windows, "extract.fps=8", "extract.stride=8", "finetune.keep=last")
    assert "no segment to choose" in refusal(a_run(folder, *more, "bmn.keep=best"))
    require_sound(a_run(folder, *more, "bmn.keep=last"), in_order())


def test_skipped_videos_are_nobodys(folder):
    skip = folder / "skip.txt"
    for videos, said in (("d\ne\n", "no video to propose for"), ("a\nb\nc\n", "to train on")):
        skip.write_text(videos)
        more = (f"runtime.skip={skip}", "finetune.keep=last", "bmn.keep=last")
        assert said in refusal(a_run(folder, *more))


def test_videos_that_extraction_alone_needs_are_looked_for_too(folder):
    """A video without a segment trains nothing, and has features."""
    write = write_json(
        folder / "a.json",
        {
            "a": entry([(1, 2, "x")]),
            "empty": entry([], "validation"),
            "d": entry([(1, 2, "x")], "validation"),
        },
    )
    more = (f"dataset.annotations={write}", "dataset.format=activitynet")
    assert "1 of 3 videos are missing (empty)" in refusal(a_run(folder, *more))
    require_sound(a_run(folder, *more, "runtime.allow_failures=1"), in_order())
    (folder / "skip.txt").write_text("empty\n")
    require_sound(a_run(folder, *more, f"runtime.skip={folder / 'skip.txt'}"), in_order())
    # Once trained, extract comes first and looks for them itself.
    run = a_run(folder, *more)
    finish(run, "finetune")
    require_sound(run, in_order())


def test_batches_that_processes_cannot_share(folder, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    run = a_run(folder, "finetune.batch_size=4", "bmn.batch_size=3")
    assert refusal(run) == "bmn.batch_size 3 cannot be shared by 4 processes; give at least 4"
    run = a_run(folder, "finetune.batch_size=3", "bmn.batch_size=4")
    assert refusal(run).startswith("finetune.batch_size 3")
    require_sound(a_run(folder, "finetune.batch_size=4", "bmn.batch_size=4"), in_order())


def test_a_configuration_without_sections_is_refused_by_a_run_and_not_by_fine_tuning(folder):
    more = ("dataset.format=table", "dataset.classes=null", "backbone.pretrained=null")
    run = a_run(folder, *more, config="demo")
    alone = run.given.model_copy(update=dict.fromkeys(("extract", "bmn", "eval")))
    run = Run(run.folder, alone)
    assert "no section extract" in refusal(run)
    assert "no section extract" in refusal(run, *of_commands("bmn"))
    require_sound(run, of_commands("finetune"))


def test_whole_files_have_no_times_to_detect(folder):
    (folder / "train.csv").write_text("a x\nb y\n")
    (folder / "val.csv").write_text("d x\n")
    files = f"[{folder / 'train.csv'}, {folder / 'val.csv'}]"
    run = a_run(folder, f"dataset.annotations={files}", "dataset.format=kinetics")
    assert "segments are whole files" in refusal(run)
    require_sound(run, of_commands("finetune"))


def test_what_is_done_is_not_asked_for_again(folder):
    run = a_run(folder)
    assert stages_ahead(run, in_order()) == ALL
    assert stages_ahead(run, of_commands("bmn")) == ALL[2:]
    assert stages_ahead(run, of_commands("eval", "classify")) == ALL[4:]
    assert stages_ahead(run, [row("eval-classifier")]) == []
    finish(run, "finetune", "extract")
    assert stages_ahead(run, in_order()) == ALL[2:]
    finish(run, *ALL[2:])
    assert stages_ahead(run, in_order()) == []
    assert stages_ahead(a_run(folder, force=True), of_commands("extract")) == ALL[1:]
    # The videos of a run that is done may be gone.
    require_sound(a_run(folder, "dataset.videos=nowhere"), in_order())
    assert "nowhere" in refusal(a_run(folder, "dataset.videos=nowhere", force=True))


@pytest.mark.parametrize("command", ["run", "finetune", "bmn", "classify", "eval"])
def test_the_commands_refuse_it_before_anything_is_made(folder, command):
    path = write_json(folder / "a.json", {"a": entry([(1, 2, "x")]), "b": entry([], "validation")})
    options = [
        part
        for key in keys(folder, f"dataset.annotations={path}", "dataset.format=activitynet",
                        "finetune.keep=last", "bmn.keep=last")
        for part in ("--set", key)
    ]  # fmt: skip
    line = error_line(tada(command, "--config", "demo", "--run-dir", str(folder / "run"), *options))
    assert line == "Error: dataset.eval_subset 'validation': no annotation to evaluate against"
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    "assignment",
    [
        "eval.proposals_at=[]", "eval.proposals_at=[10000000000]", "bmn.duration_scale=41",
        "extract.stride=99999999999", "extract.fps=1e300", "extract.fps=1e-300", "eval.sls=[2,3,6]",
        "bmn.seed=99999999999999999999", "eval.iou=[]",
    ],
)  # fmt: skip
def test_settings_no_stage_could_use_are_refused_where_they_are_read(folder, assignment):
    with pytest.raises(UsageError, match=assignment.partition("=")[0].replace(".", r"\.")):
        a_run(folder, assignment)


def test_a_number_of_classes_below_the_top_ones_is_taken(folder):
    require_sound(a_run(folder, "classify.top=50", "classify.pairs=9999"), in_order())


def test_infinite_durations_are_refused(folder):
    content = {"a": entry([(1, 2, "x")]), "d": entry([(1, 2, "x")], "validation")}
    content["a"]["duration"] = float("inf")
    (folder / "a.json").write_text(json.dumps({"database": content}))
    more = (f"dataset.annotations={folder / 'a.json'}", "dataset.format=activitynet")
    assert "video a: duration is infinite" in refusal(a_run(folder, *more))


def test_groups_that_do_not_suit_the_network_are_refused_before_it_is_trained(data, tmp_path):
    more = options(data, tmp_path / "run", "bmn.groups=3", "bmn.hidden_1d=9")
    assert error_line(tada("finetune", *more)).startswith("Error: bmn.groups = 3: the 128 channels")
    assert not (tmp_path / "run/finetune/checkpoint.pt").exists()
