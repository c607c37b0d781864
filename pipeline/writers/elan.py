"""ELAN's own file (.eaf), version 3.0 of its schema, so that a person corrects the detections."""

from __future__ import annotations

import mimetypes
import uuid
from bisect import bisect_left, insort
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from pipeline.prediction.found import Prediction
from pipeline.progress import say
from pipeline.run_folder.files import atomic_path
from pipeline.writers.labels import (
    choices,
    one_line,
    say_folders,
    segments_of,
    way_to,
    whole_milliseconds,
)

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_LANGUAGE = "und"  # ELAN's code of a vocabulary without a language
_TYPE, _VOCABULARY, TIER = "detection", "classes", "detections"
_MANY_TIERS = 12  # more than a screen shows
Span = tuple[int, int, str]  # start and end in milliseconds, and the label


def write_elan(
    prediction: Prediction, path: Path, *, classes: Iterable[str] = (), media: str | None = None
) -> None:
    """Write a video's detections as a document of ELAN.

    Annotations of one tier cannot overlap: those that do go into further tiers (`detections 2`, ...), the best in the
    first. Labels are a controlled vocabulary, the detected ones and then `classes`, from which a person picks. Times are
    whole milliseconds. `media` is where the video is, in place of the way from the file to it. Raises
    UserError if the file cannot be written.
    """
    say_folders([prediction], path, "ELAN")
    labels = choices([prediction], classes)
    tiers = _tiers(
        [(*whole_milliseconds(segment), segment.text) for segment in segments_of(prediction)]
    )
    if len(tiers) > _MANY_TIERS:
        say(
            f"{path}: so many detections overlap that they take {len(tiers)} tiers; a higher threshold leaves fewer"
        )
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": one_line(f"tada-loc {prediction.model}"),
            "DATE": datetime.now().astimezone().isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{_XSI}noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    _header(
        root, prediction, one_line(media or way_to(prediction.source, path)), sum(map(len, tiers))
    )
    _annotations(root, tiers, {label: f"cveid{place}" for place, label in enumerate(labels)})
    _vocabulary(root, labels)
    ET.indent(root)
    with atomic_path(path) as temporary:
        ET.ElementTree(root).write(temporary, encoding="UTF-8", xml_declaration=True)


def _tiers(spans: Iterable[Span]) -> list[list[Span]]:
    """Spans, best first, each in the first tier where it overlaps none; a tier in order of time."""
    tiers: list[list[Span]] = [[]]
    for span in spans:
        for tier in tiers:
            place = bisect_left(tier, span)
            if (not place or tier[place - 1][1] <= span[0]) and (
                place == len(tier) or span[1] <= tier[place][0]
            ):
                insort(tier, span)
                break
        else:
            tiers.append([span])
    return tiers


def _header(root: ET.Element, prediction: Prediction, media: str, count: int) -> None:
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if prediction.is_file:
        kind = mimetypes.guess_type(prediction.source.name)[0] or "video/*"
        beside = media if media.startswith("../") or ":" in media else f"./{media}"
        ET.SubElement(
            header, "MEDIA_DESCRIPTOR", MEDIA_URL=beside, RELATIVE_MEDIA_URL=beside, MIME_TYPE=kind
        )
    named = uuid.uuid5(uuid.NAMESPACE_OID, f"{prediction.digest} {one_line(prediction.video)}")
    urn = ET.SubElement(header, "PROPERTY", NAME="URN")
    urn.text = f"urn:nl-mpi-tools-elan-eaf:{named}"
    ET.SubElement(header, "PROPERTY", NAME="lastUsedAnnotationId").text = str(count)


def _annotations(root: ET.Element, tiers: list[list[Span]], entries: dict[str, str]) -> None:
    """The order of times, then the tiers; each annotation has two slots of its own, and its label's entry."""
    ends = sorted(
        (span[side], tier, place, side)
        for tier, spans in enumerate(tiers)
        for place, span in enumerate(spans)
        for side in (0, 1)
    )
    order, slots = ET.SubElement(root, "TIME_ORDER"), {}
    for number, (time, *end) in enumerate(ends, start=1):
        slots[tuple(end)] = f"ts{number}"
        ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{number}", TIME_VALUE=str(time))
    number = 0
    for tier, spans in enumerate(tiers):
        name = TIER if not tier else f"{TIER} {tier + 1}"
        element = ET.SubElement(root, "TIER", TIER_ID=name, LINGUISTIC_TYPE_REF=_TYPE)
        for place, (*_, label) in enumerate(spans):
            number += 1
            aligned = ET.SubElement(
                ET.SubElement(element, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{number}",
                TIME_SLOT_REF1=slots[tier, place, 0],
                TIME_SLOT_REF2=slots[tier, place, 1],
                CVE_REF=entries[label],
            )
            ET.SubElement(aligned, "ANNOTATION_VALUE").text = label


def _vocabulary(root: ET.Element, labels: list[str]) -> None:
    ET.SubElement(
        root,
        "LINGUISTIC_TYPE",
        LINGUISTIC_TYPE_ID=_TYPE,
        TIME_ALIGNABLE="true",
        GRAPHIC_REFERENCES="false",
        CONTROLLED_VOCABULARY_REF=_VOCABULARY,
    )
    ET.SubElement(
        root,
        "LANGUAGE",
        LANG_ID=_LANGUAGE,
        LANG_DEF="http://cdb.iso.org/lg/CDB-00130975-001",
        LANG_LABEL="undetermined (und)",
    )
    vocabulary = ET.SubElement(root, "CONTROLLED_VOCABULARY", CV_ID=_VOCABULARY)
    ET.SubElement(vocabulary, "DESCRIPTION", LANG_REF=_LANGUAGE).text = "classes of the model"
    for place, label in enumerate(labels):
        entry = ET.SubElement(vocabulary, "CV_ENTRY_ML", CVE_ID=f"cveid{place}")
        ET.SubElement(entry, "CVE_VALUE", DESCRIPTION="", LANG_REF=_LANGUAGE).text = label
