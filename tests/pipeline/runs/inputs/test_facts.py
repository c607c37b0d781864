"""What a run knows of its stages: as it is there, and, asked ahead, as it will be once all is made again."""

from __future__ import annotations

import json

import pytest

from pipeline.configuration.reading import find_config, load_config
from pipeline.data.videos.failures import Failure, write_failures
from pipeline.errors import UserError
from pipeline.run_folder.identity import UNKNOWN, UNSURE, record_of
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.runs.graph import row
from pipeline.runs.inputs.fields import VIDEOS, made_by
from pipeline.runs.run import Run
from pipeline.runs.ways import in_order

VIDEO_IDS = ("t0", "t1", "v0")
ROWS = "".join(
    f"{video},0,2,grow,{subset}\n"
    for video, subset in zip(VIDEO_IDS, ("training", "training", "validation"), strict=True)
)


@pytest.fixture
def make(tmp_path):
    """A run on three annotated videos, with changed settings."""
    (tmp_path / "rows.csv").write_text("video,start,end,label,subset\n" + ROWS)
    (tmp_path / "videos").mkdir()
    for video in VIDEO_IDS:
        (tmp_path / "videos" / f"{video}.mp4").write_bytes(video.encode())

    def made(**changes):
        fields = {"dataset.annotations": str(tmp_path / "rows.csv"), "runtime.device": "cpu"}
        fields |= {"dataset.videos": str(tmp_path / "videos")}
        fields |= {key.replace("_", ".", 1): value for key, value in changes.items()}
        return Run(tmp_path / "run", load_config(find_config("demo"), fields))

    return made


def done(make, *names):
    """Stages as if they had done their work; what each leaves of a video is the video's name."""
    for name in names:
        run = make()
        stage = run.open(name)
        for output in row(name).outputs:
            (stage.folder / output).write_text(name)
        if row(name).part:
            of = run.sightings.identities if name == "extract" else stage.fields[VIDEOS]
            for video, digest in of.items():
                note(stage, name, video, digest)
        stage.finish(weights=f"{name} weights" if row(name).valuable else None)


def note(stage, name, video, of):
    path = stage.folder / row(name).part_of(video)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(video)
    file, by = record_of(path), made_by(stage.fields)
    line = Made(video=video, by=by, of=of, file=file, content=f"{name} {video}")
    Ledger(stage.folder).note(line)


ALL = [stage.name for stage in in_order()]


def both(run):
    return run.facts(), run.facts(ahead=True)


def test_of_what_has_not_been_done_nothing_is_known_and_ahead_it_may_be_anything(make):
    now, ahead = both(make())
    with pytest.raises(
        UserError, match="stage finetune has not been done; run `tada-loc finetune`"
    ):
        now.weights("finetune")
    with pytest.raises(
        UserError, match=r"stage bmn/proposals has not been done; run `tada-loc bmn`"
    ):
        now.output("proposals", "proposals.csv")
    assert ahead.weights("finetune") == ahead.output("proposals", "proposals.csv") == UNSURE
    make().open("finetune")
    now, ahead = both(make())
    with pytest.raises(UserError, match="stage finetune is not complete"):
        now.weights("finetune")
    assert ahead.weights("finetune") == UNSURE
    assert all(facts.reasons(name) == [] for facts in (ahead,) for name in ALL)


def test_of_what_is_as_wanted_both_say_the_same(make):
    done(make, *ALL)
    for facts in both(make()):
        assert facts.weights("finetune") == "finetune weights"
        assert facts.weights("bmn") == "bmn weights"
        for name, file in (("proposals", "proposals.csv"), ("classify", "detections.csv")):
            assert facts.output(name, file) == record_of(make().path(name) / file).sha256
        assert facts.features(list(VIDEO_IDS)) == {v: f"extract {v}" for v in VIDEO_IDS}
        assert facts.parts("proposals", list(VIDEO_IDS)) == {"v0": "proposals v0"}
        assert all(facts.reasons(name) == [] for name in ALL)
        assert all(facts.stage(name).because == () for name in ALL)


def test_what_will_be_made_again_of_other_settings_is_unknown_and_as_it_is_there_else(make):
    done(make, *ALL)
    epochs = make().config.finetune.epochs
    now, ahead = both(make(finetune_epochs=epochs + 1))
    assert now.weights("finetune") == "finetune weights"
    assert ahead.weights("finetune") == ahead.weights("bmn") == UNKNOWN
    assert ahead.output("classify", "detections.csv") == UNKNOWN
    assert now.output("classify", "detections.csv") != UNKNOWN
    assert ahead.reasons("finetune") == [f"finetune.epochs: {epochs} -> {epochs + 1}"]
    # Each says the root beside its own reason.
    for name in ALL[1:]:
        assert "made again" in ahead.reasons(name)[0]
        assert ahead.reasons("finetune")[0] in ahead.stage(name).because, name


def test_what_is_lost_and_will_be_the_same_is_as_it_was_recorded(make):
    """Its own stage is made again of the same inputs: what reads it stays current."""
    done(make, *ALL)
    (make().path("finetune") / "manifest.json").unlink()
    ahead = make().facts(ahead=True)
    assert ahead.weights("finetune") == UNSURE
    assert ahead.stage("extract").fields["content.weights"] == "finetune weights"
    assert all(ahead.reasons(name) == [] for name in ALL)


def test_features_of_another_file_are_none_now_and_unknown_ahead(make, tmp_path):
    done(make, *ALL)
    (tmp_path / "videos/v0.mp4").write_bytes(b"another")
    now, ahead = both(make())
    assert now.features(["t0", "v0"]) == {"t0": "extract t0"}
    assert ahead.features(["t0", "v0"]) == {"t0": "extract t0", "v0": UNKNOWN}
    assert ahead.reasons("bmn") == [] and ahead.reasons("finetune") == []
    assert ahead.reasons("proposals") == ["videos made again: v0"]
    assert ahead.parts("proposals", ["v0"]) == {"v0": UNKNOWN}


def test_a_video_whose_file_is_gone_is_as_it_was(make, tmp_path):
    done(make, *ALL)
    (tmp_path / "videos/v0.mp4").unlink()
    for facts in both(make()):
        assert facts.features(["v0"]) == {"v0": "extract v0"}
        assert facts.reasons("proposals") == []


def test_a_video_without_features_will_have_some_unless_it_is_known_to_fail(make, tmp_path):
    done(make, *ALL)
    folder = make().path("extract")
    Ledger(folder).forget("v0")
    now, ahead = both(make())
    assert now.features(["v0"]) == {}
    # What the proposals read of it is remembered: it will be that again.
    assert ahead.features(["v0"]) == {"v0": "extract v0"}
    of = make().sightings.identities["v0"]
    write_failures(folder, "extract", {"v0": Failure("no frames", 1, of=of)})
    assert make().facts(ahead=True).features(["v0"]) == {}
    assert make().facts(ahead=True).reasons("proposals") == ["videos gone: v0"]
    (tmp_path / "videos/v0.mp4").write_bytes(b"another, which may do")
    assert make().facts(ahead=True).features(["v0"]) == {"v0": UNKNOWN}


def test_a_video_that_is_new_is_made_for_the_first_time(make, tmp_path):
    done(make, *ALL)
    with (tmp_path / "rows.csv").open("a") as rows:
        rows.write("v1,0,2,grow,validation\n")
    (tmp_path / "videos/v1.mp4").write_bytes(b"v1")
    now, ahead = both(make())
    assert now.features(["v1"]) == {} and ahead.features(["v1"]) == {"v1": UNSURE}
    assert ahead.reasons("proposals") == ["videos made again: v1"]
    assert ahead.reasons("bmn") == []


def test_a_skipped_video_is_none_either_way(make, tmp_path):
    done(make, *ALL)
    (tmp_path / "skip.txt").write_text("v0\n")
    for facts in both(make(runtime_skip=str(tmp_path / "skip.txt"))):
        assert facts.features(list(VIDEO_IDS)) == {v: f"extract {v}" for v in ("t0", "t1")}
        assert facts.identities.keys() == {"t0", "t1"}
        assert facts.parts("proposals", ["v0"]) == {}


def test_videos_are_looked_at_once_and_only_where_they_count(make):
    done(make, *ALL)
    looks = []
    facts = make().facts()
    asked = type(facts)(
        facts.config, facts.folder, facts.dataset, lambda: looks.append(1) or facts.identities
    )
    asked.weights("finetune"), asked.output("classify", "detections.csv"), asked.stage("eval")
    assert looks == []
    asked.stage("finetune"), asked.features(["v0"]), asked.identities
    assert looks == [1]


def test_a_manifest_that_is_damaged_is_none(make):
    done(make, *ALL)
    (make().path("finetune") / "manifest.json").write_text("{")
    now, ahead = both(make())
    assert now.manifest("finetune") is None and ahead.weights("finetune") == UNSURE
    with pytest.raises(UserError, match="has not been done"):
        now.weights("finetune")


def test_weights_that_an_older_program_did_not_weigh_are_weighed(make, monkeypatch):
    done(make, "finetune")
    path = make().path("finetune") / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["weights"]
    path.write_text(json.dumps(manifest))
    monkeypatch.setattr(
        "pipeline.runs.inputs.contents.weigh", lambda folder: f"weighed {folder.name}"
    )
    for facts in both(make()):
        assert facts.weights("finetune") == "weighed finetune"
