"""`tada-loc explain`: the files it writes, what stands in them, and every mistake in one line."""

from __future__ import annotations

import json
import shutil

import av
import numpy as np
import pytest
import torch
from helpers.model_files import small_model
from helpers.small_runs import error_line, tada
from PIL import Image

from feature_extraction.sampling import ClipGrid
from pipeline.model_files.writing import write_model
from pipeline.prediction.networks import classifier_of
from pipeline.results.classifier_extractor import extractor_of
from pipeline.tools.explain.running import NUMBERS, PLOT, SHEET, Request, explain

VIDEO = "validation_000"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "own.tada"
    write_model(small_model(extract__batch_size=3), path, trained="2026-11-26")
    return path


def numbers(folder):
    return json.loads((folder / NUMBERS).read_text())


def pictures(path):
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def test_a_run_s_best_detections(whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    done = tada("explain", VIDEO, "--run-dir", str(run), "--top", "2", "--device", "cpu")
    assert done.exit_code == 0, done.output
    folder = run / "explain" / VIDEO
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert names == {SHEET, PLOT, NUMBERS, f"{VIDEO}.mp4"}
    found = numbers(folder)
    rows = [line.split(",") for line in (run / "classify/detections.csv").read_text().splitlines()]
    head, rows = rows[0], [row for row in rows[1:] if row[0] == VIDEO]
    scores = sorted((float(row[head.index("score")]) for row in rows), reverse=True)
    assert [one["score"] for one in found["moments"]] == scores[:2]
    for moment in found["moments"]:
        assert list(moment["calibration"]) == ["res2", "res3", "res4", "res5"]
        (label,) = moment["classes"]
        assert label["name"] == moment["label"]
        assert len(label["evidence"]) == len(moment["frames"]) == len(label["strongest"])
        assert len(label["logit"]) == len(label["probability"]) == len(moment["clips"])
        assert moment["frames"] == sorted(moment["frames"])
        assert all(0 < share < 1 for place in label["strongest"] for share in place)
    assert done.stdout.startswith(f"1. {found['moments'][0]['label']}, score")
    assert Image.open(folder / SHEET).width > 640 and Image.open(folder / PLOT).width > 640
    assert len(pictures(folder / f"{VIDEO}.mp4")) > 8


def test_the_numbers_are_those_of_the_classifier(own, data, tmp_path):
    """Logits and probabilities of the clips are what the extractor and the head give at their centres."""
    path = data / "videos" / f"{VIDEO}.mp4"
    written = explain(
        Request(own, str(path), at=4.0, against=("jump",), folder=tmp_path, device="cpu")
    )
    (moment,) = numbers(written.folder)["moments"]
    model = small_model(extract__batch_size=3)
    network = classifier_of(model, torch.device("cpu"))
    extractor = extractor_of(model.config, network, torch.device("cpu"))
    features = extractor.at(path, np.array(moment["clips"]))
    logits = network.classify(torch.from_numpy(features)).detach()
    bias = network.head.classifiers[0].bias.detach()
    assert moment["clips"] == [4.0]
    best = model.heads[0][int(logits[0].argmax())]
    assert moment["classes"][0]["name"] == best == moment["label"]
    for one in moment["classes"]:
        number = one["number"]
        assert one["logit"] == pytest.approx(logits[:, number].tolist(), abs=1e-4)
        assert one["probability"] == pytest.approx(logits.softmax(1)[:, number].tolist(), abs=1e-4)
        evidence = np.mean(one["evidence"]) + float(bias[number])
        assert evidence == pytest.approx(one["logit"][0], abs=1e-4)
    assert moment["frames"] == pytest.approx(
        extractor.grid.times_around(np.array([4.0]))[0], abs=1e-5
    )


def test_clips_of_a_detection_cover_it(own, data, tmp_path):
    line = ["explain", str(data / "videos" / f"{VIDEO}.mp4"), "--model", str(own)]
    done = tada(*line, "--to", str(tmp_path), "--device", "cpu", "--top", "3")
    assert done.exit_code == 0, done.output
    assert "detecting actions in the whole video first" in done.stderr
    model = small_model()
    extract = model.config.extract
    grid = ClipGrid(extract.fps, extract.frames, extract.interval, extract.stride)
    step = grid.interval / grid.fps
    for moment in numbers(tmp_path / VIDEO)["moments"]:
        times = np.array(moment["frames"])
        assert times[0] <= moment["start"] + step and times[-1] >= moment["end"] - step
        assert (np.diff(times) >= 0).all() and np.diff(times).max() < 2 * step + 1e-6


def test_a_moment_of_named_classes_and_one_they_are_held_against(own, data, tmp_path):
    line = ["explain", str(data / "videos" / f"{VIDEO}.mp4"), "--model", str(own)]
    line += ["--to", str(tmp_path), "--at", "3", "--classes", "run,dive", "--against", "jump"]
    done = tada(*line, "--against", "dive", "--device", "cpu")
    assert done.exit_code == 0, done.output
    (moment,) = numbers(tmp_path / VIDEO)["moments"]
    named = [(one["name"], one["against"]) for one in moment["classes"]]
    assert named == [("run", False), ("dive", False), ("jump", True)]
    assert moment["label"] == "run dive" and moment["score"] is None


@pytest.mark.parametrize(
    ("backbone", "stages"),
    [
        ("tsn", 0),
        ("r3d", 0),
        ("r2plus1d_tada_2d", 4),
        ("slowonly_8x8_tada", 4),
        ("slowfast_8x8_tada", 8),
    ],
)
def test_every_kind_of_network(backbone, stages, data, tmp_path):
    path = tmp_path / "own.tada"
    write_model(small_model(backbone__name=backbone), path, trained="2026-11-26")
    video = str(data / "videos" / f"{VIDEO}.mp4")
    written = explain(Request(path, video, at=4.0, folder=tmp_path, device="cpu"))
    (moment,) = numbers(written.folder)["moments"]
    assert len(moment["calibration"]) == stages and len(moment["frames"]) == 8
    if stages == 8:
        assert len(moment["calibration"]["slow res2"]["frames"]) == 2
        assert moment["calibration"]["slow res2"]["frames"][1] == moment["frames"][4]
    assert (written.folder / PLOT).stat().st_size > 1000


def test_verbs_and_nouns_are_both_shown(data, tmp_path):
    heads = (("open", "close"), ("drawer", "door", "cup"))
    path = tmp_path / "own.tada"
    write_model(small_model(heads=heads), path, trained="2026-11-26")
    video = str(data / "videos" / f"{VIDEO}.mp4")
    request = Request(path, video, at=4.0, folder=tmp_path, device="cpu", against=("close cup",))
    (moment,) = numbers(explain(request).folder)["moments"]
    shown = {(one["head"], one["against"]) for one in moment["classes"]}
    assert {(0, False), (1, False)} <= shown and 2 < len(moment["classes"]) <= 4
    by_pair = Request(path, video, folder=tmp_path / "found", device="cpu", choice=request.choice)
    for one in numbers(explain(by_pair).folder)["moments"]:
        verb, noun = (target["name"] for target in one["classes"])
        assert one["label"] == f"{verb} {noun}"


def test_labels_and_names_are_text_wherever_they_go(data, tmp_path, capfd):
    heads = (('<img src=x onerror="a">', "$\\frac{1}{2}$ 潜水 🤿", "\u202egnp.x" + 200 * "y"),)
    path = tmp_path / "own.tada"
    write_model(small_model(heads=heads), path, trained="2026-11-26")
    video = tmp_path / "$x$ <b>.mp4"
    shutil.copy(data / "videos" / f"{VIDEO}.mp4", video)
    line = ["explain", str(video), "--model", str(path), "--to", str(tmp_path), "--at", "4"]
    for label in heads[0][1:]:
        line += ["--against", label]
    done = tada(*line, "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "\u202e" not in done.output and (tmp_path / "$x$ <b>" / SHEET).is_file()
    assert numbers(tmp_path / "$x$ <b>")["moments"][0]["classes"][-1]["name"] in heads[0]
    assert "Glyph" not in capfd.readouterr().err + done.output


def test_a_video_at_its_ends(own, data, tmp_path):
    video = str(data / "videos" / f"{VIDEO}.mp4")
    for at in (0.0, 13.99):
        found = numbers(explain(Request(own, video, at=at, folder=tmp_path, device="cpu")).folder)
        times = found["moments"][0]["frames"]
        assert min(times) >= 0 and max(times) <= 14.01


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["nothing.mp4"], "no such file"),
        (["{video}", "--at", "99"], "--at 99: the video lasts 14.00 s"),
        (["{video}", "--at", "-1"], "give seconds from the start"),
        (["{video}", "--at", "nan"], "give seconds from the start"),
        (["{video}", "--at", "1", "--top", "2"], "--top and --threshold choose detections"),
        (["{video}", "--at", "1", "--classes", "dove"], "did you mean 'dive'?"),
        (["{video}", "--against", "walk"], "the model has no such class"),
        (["{video}", "--threshold", "0.999999"], "no detection is selected (of "),
        (["{video}", "--top", "0"], "a whole number of at least 1"),
        (["{video}", "--at", "1", "--device", "nowhere"], "cannot be used"),
        (["{table}", "--at", "1"], "video annotations"),
        (["{videos}", "--at", "1"], "explain one at a time"),
        (["{video}", "--run-dir", "x"], "--run-dir and --model"),
    ],
)
def test_mistakes_are_one_line(own, data, tmp_path, line, said):
    places = {"video": data / "videos" / f"{VIDEO}.mp4", "videos": data / "videos"}
    places["table"] = shutil.copy(data / "annotations.csv", tmp_path / "annotations.mp4")
    words = [word.format(**places) for word in line]
    done = tada("explain", *words, "--model", str(own), "--to", str(tmp_path / "to"))
    assert said in error_line(done)
    assert not list((tmp_path / "to").rglob("*.*"))


def test_a_video_that_is_not_the_run_s(whole):
    found = error_line(tada("explain", "validation_00", "--run-dir", str(whole)))
    assert "is not a video of" in found and "did you mean validation_00" in found


def test_a_run_without_a_classifier_says_so(tmp_path):
    (tmp_path / "run").mkdir()
    assert "config.yaml" in error_line(tada("explain", "x", "--run-dir", str(tmp_path / "run")))
