"""ELAN's file: its structure as the public schema has it, pympi's reading, and our own on the way back."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from helpers.hand_made import HOSTILE, ROWS, converted, epic, expected, found, many
from pympi import Elan

from pipeline.writers.elan import write_elan

# What EAF 3.0 says of each element: its attributes (those with ! must be there), and its children in this order.
SCHEMA: dict[str, tuple[str, str]] = {
    "ANNOTATION_DOCUMENT": (
        "DATE! AUTHOR! VERSION! FORMAT noNamespaceSchemaLocation",
        "LICENSE HEADER TIME_ORDER TIER LINGUISTIC_TYPE LOCALE LANGUAGE CONSTRAINT CONTROLLED_VOCABULARY "
        "LEXICON_REF REF_LINK_SET EXTERNAL_REF",
    ),
    "HEADER": ("MEDIA_FILE TIME_UNITS", "MEDIA_DESCRIPTOR LINKED_FILE_DESCRIPTOR PROPERTY"),
    "MEDIA_DESCRIPTOR": (
        "MEDIA_URL! MIME_TYPE! RELATIVE_MEDIA_URL TIME_ORIGIN EXTRACTED_FROM",
        "",
    ),
    "PROPERTY": ("NAME", ""),
    "TIME_ORDER": ("", "TIME_SLOT"),
    "TIME_SLOT": ("TIME_SLOT_ID! TIME_VALUE", ""),
    "TIER": (
        "TIER_ID! LINGUISTIC_TYPE_REF! PARTICIPANT ANNOTATOR DEFAULT_LOCALE PARENT_REF EXT_REF LANG_REF",
        "ANNOTATION",
    ),
    "ANNOTATION": ("", "ALIGNABLE_ANNOTATION REF_ANNOTATION"),
    "ALIGNABLE_ANNOTATION": (
        "ANNOTATION_ID! TIME_SLOT_REF1! TIME_SLOT_REF2! SVG_REF EXT_REF LANG_REF CVE_REF",
        "ANNOTATION_VALUE",
    ),
    "ANNOTATION_VALUE": ("", ""),
    "LINGUISTIC_TYPE": (
        "LINGUISTIC_TYPE_ID! TIME_ALIGNABLE CONSTRAINTS GRAPHIC_REFERENCES CONTROLLED_VOCABULARY_REF EXT_REF "
        "LEXICON_REF",
        "",
    ),
    "LANGUAGE": ("LANG_ID! LANG_DEF LANG_LABEL", ""),
    "CONTROLLED_VOCABULARY": ("CV_ID! EXT_REF", "DESCRIPTION CV_ENTRY_ML"),
    "DESCRIPTION": ("LANG_REF!", ""),
    "CV_ENTRY_ML": ("CVE_ID! EXT_REF", "CVE_VALUE"),
    "CVE_VALUE": ("LANG_REF! DESCRIPTION", ""),
}
IDS = ("TIME_SLOT_ID", "ANNOTATION_ID", "CVE_ID", "LANG_ID")


def check(path: Path) -> ET.Element:
    """The root of a file that has the structure of the schema, and whose references lead somewhere."""
    root = ET.parse(path).getroot()
    assert root.tag == "ANNOTATION_DOCUMENT"
    for element in root.iter():
        attributes, children = SCHEMA[element.tag]
        given = {name.rpartition("}")[2] for name in element.attrib}
        assert given <= {name.strip("!") for name in attributes.split()}, element.tag
        assert {name.strip("!") for name in attributes.split() if name.endswith("!")} <= given
        order = [children.split().index(child.tag) for child in element]
        assert order == sorted(order), element.tag
    ids = [element.get(name) for element in root.iter() for name in IDS if element.get(name)]
    assert len(ids) == len(set(ids)) and all(
        re.fullmatch(r"[A-Za-z_][\w.-]*", name) for name in ids
    )
    types = {element.get("LINGUISTIC_TYPE_ID") for element in root.iter("LINGUISTIC_TYPE")}
    vocabularies = {element.get("CV_ID") for element in root.iter("CONTROLLED_VOCABULARY")}
    tiers = [element.get("TIER_ID") for element in root.iter("TIER")]
    assert len(tiers) == len(set(tiers)) >= 1
    assert {element.get("LINGUISTIC_TYPE_REF") for element in root.iter("TIER")} <= types
    for kind in root.iter("LINGUISTIC_TYPE"):
        assert kind.get("CONTROLLED_VOCABULARY_REF") in vocabularies
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in {"TIME_SLOT_REF1", "TIME_SLOT_REF2", "CVE_REF", "LANG_REF"}:
                assert value in ids, name
    slots = [int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")]
    assert slots == sorted(slots) and all(time >= 0 for time in slots)
    datetime.fromisoformat(root.get("DATE"))
    assert root.find("HEADER").get("TIME_UNITS") == "milliseconds"
    return root


def pympi_rows(path: Path) -> dict[str, list[tuple[int, int, str]]]:
    document = Elan.Eaf(str(path))
    return {
        name: [tuple(row[:3]) for row in document.get_annotation_data_for_tier(name)]
        for name in document.get_tier_names()
    }


@pytest.mark.parametrize(
    "prediction", [found(), many(300), epic(), found([])], ids=["few", "many", "epic", "empty"]
)
def test_structure_and_pympi(tmp_path, prediction):
    path = tmp_path / "own.eaf"
    write_elan(prediction, path)
    check(path)
    tiers = pympi_rows(path)
    rows = prediction.detections
    wanted = Counter(
        (round(s * 1000), max(round(e * 1000), round(s * 1000) + 1))
        for s, e in rows[["start", "end"]].to_numpy()
    )
    assert Counter(row[:2] for tier in tiers.values() for row in tier) == wanted
    for tier in tiers.values():
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(tier))
        assert all(start < end for start, end, _ in tier)


def test_what_overlaps_stands_in_further_tiers_the_best_in_the_first(tmp_path):
    write_elan(found(), tmp_path / "own.eaf")
    assert pympi_rows(tmp_path / "own.eaf") == {
        "detections": [(1500, 3500, "right"), (7000, 8000, "right")],
        "detections 2": [(2000, 6250, "up")],
        "detections 3": [(0, 9000, "down")],
    }


def test_labels_are_a_list_to_pick_from_those_detected_first(tmp_path):
    write_elan(found(), tmp_path / "own.eaf", classes=["left", "up", "right"])
    document = Elan.Eaf(str(tmp_path / "own.eaf"))
    assert list(document.controlled_vocabularies) == ["classes"]
    values = [entry[0][0][0] for entry in document.controlled_vocabularies["classes"][1].values()]
    assert values == ["right", "up", "down", "left"]


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_what_convert_gives_back_is_what_was_found_to_the_millisecond(tmp_path, ending):
    paths = []
    predictions = [found(), found(ROWS[:2], source=Path("videos/a b%20c#d.mp4")), many(200)]
    predictions[2] = found(
        predictions[2].detections[["start", "end", "label", "score"]].query("end - start > 0.01")
        .itertuples(index=False), source=Path("v07.mkv"), duration=600.0,
    )  # fmt: skip
    for prediction in predictions:
        paths.append(tmp_path / f"{prediction.video}.eaf")
        write_elan(prediction, paths[-1])
    back, wanted = converted(tmp_path, *paths, ending=ending), expected(*predictions)
    assert (
        back[["video", "label"]].to_numpy().tolist()
        == wanted[["video", "label"]].to_numpy().tolist()
    )
    assert abs(back[["start", "end"]] - wanted[["start", "end"]]).to_numpy().max() <= 0.000501


def test_hostile_labels_and_ids_come_back_as_they_were(tmp_path):
    rows = [(float(n), n + 0.5, label, 0.5) for n, label in enumerate(HOSTILE)]
    prediction = found(rows, source=Path("in & out/<i>'\"&.mp4"), video="CLASS/ID", duration=20.0)
    write_elan(prediction, tmp_path / "own.eaf", classes=["new\nline", "\x00\x0b", "half \ud800"])
    check(tmp_path / "own.eaf")
    back = converted(tmp_path, tmp_path / "own.eaf")
    assert back["label"].tolist() == list(HOSTILE)
    assert set(back["video"]) == {"<i>'\"&"}


def test_the_video_is_found_from_the_file_and_no_path_of_the_machine_is_in_it(tmp_path):
    source = tmp_path / "videos" / "v06.mp4"
    written = tmp_path / "predictions" / "videos" / "v06.eaf"
    write_elan(found(source=source), written)
    media = check(written).find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "../../videos/v06.mp4"
    assert media.get("MIME_TYPE") == "video/mp4"
    assert str(tmp_path) not in written.read_text()
    beside = tmp_path / "videos" / "v06.eaf"
    write_elan(found(source=source), beside)
    assert check(beside).find("HEADER/MEDIA_DESCRIPTOR").get("RELATIVE_MEDIA_URL") == "./v06.mp4"
    write_elan(found(source=source), beside, media="file:///C:/videos/v06.mp4")
    assert converted(tmp_path, beside)["video"].unique().tolist() == ["v06"]


def test_a_link_keeps_its_name_and_leads_to_its_folder(tmp_path):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "deep" / "0001.mp4").touch()
    (tmp_path / "v06.mp4").symlink_to(tmp_path / "real" / "deep" / "0001.mp4")
    (tmp_path / "out").symlink_to(tmp_path / "real" / "deep")
    write_elan(found(source=tmp_path / "v06.mp4"), tmp_path / "out" / "v06.eaf")
    way = check(tmp_path / "out" / "v06.eaf").find("HEADER/MEDIA_DESCRIPTOR").get("MEDIA_URL")
    assert way == "../../v06.mp4"
    assert os.path.samefile(tmp_path / "out" / way, tmp_path / "v06.mp4")


def test_a_folder_of_frames_is_said_and_its_segments_are_kept(tmp_path, capsys):
    (tmp_path / "v06").mkdir()
    write_elan(found(source=tmp_path / "v06"), tmp_path / "v06.eaf")
    assert (
        "1 of its videos are folders of frames, which ELAN does not play" in capsys.readouterr().err
    )
    assert check(tmp_path / "v06.eaf").find("HEADER/MEDIA_DESCRIPTOR") is None
    assert len(converted(tmp_path, tmp_path / "v06.eaf")) == len(ROWS)


def test_a_class_that_has_a_name_is_picked_by_both(tmp_path):
    write_elan(epic(), tmp_path / "own.eaf")
    labels = converted(tmp_path, tmp_path / "own.eaf")["label"]
    assert labels.tolist() == ["3,17 open drawer", "0,2 take pan: lid", "9,9"]
    assert labels.str.extract(r"^(\d+),(\d+)").astype(int).to_numpy().tolist() == [
        [3, 17],
        [0, 2],
        [9, 9],
    ]


def test_more_tiers_than_a_screen_shows_are_said(tmp_path, capsys):
    write_elan(found(), tmp_path / "own.eaf")
    assert not capsys.readouterr().err
    write_elan(many(300, seconds=60.0), tmp_path / "own.eaf")
    tiers = len(list(check(tmp_path / "own.eaf").iter("TIER")))
    assert tiers > 12 and f"take {tiers} tiers" in capsys.readouterr().err


def test_a_file_name_that_is_no_text_is_escaped(tmp_path):
    source = Path(os.fsdecode(b"in/v\xff.mp4"))
    write_elan(found(source=source, video="v"), tmp_path / "own.eaf")
    assert "in/v\\udcff.mp4" in check(tmp_path / "own.eaf").find("HEADER/MEDIA_DESCRIPTOR").get(
        "MEDIA_URL"
    )
