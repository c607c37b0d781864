"""Small annotation files of every form that is read: name, bytes, and the segments that are in them."""

from __future__ import annotations

import json
from dataclasses import dataclass

Row = tuple[str, float, float, str]


@dataclass(frozen=True)
class Sample:
    """A file of the form `kind`, and its segments in order; `fps` where frames need a rate."""

    kind: str
    name: str
    content: bytes
    rows: tuple[Row, ...]
    fps: float | None = None
    empty: tuple[str, ...] = ()


def as_json(value: object) -> bytes:
    """A value as the bytes of a JSON file."""
    return json.dumps(value).encode()


RIGHT: tuple[Row, ...] = (("v06", 1.5, 3.5, "right"),)
_REGION = {"ranges": [{"start": 24, "end": 53}], "timelinelabels": ["right"]}
_FRAMES: tuple[Row, ...] = (("v06", 23 / 15, 53 / 15, "right"),)

LABEL_STUDIO = [
    {
        "id": 1,
        "data": {"video": "/data/upload/1/0123abcd-v06.mp4", "title": "a kitchen"},
        "annotations": [
            {"id": 1, "was_cancelled": False, "result": [
                {"type": "timelinelabels", "from_name": "tl", "to_name": "video", "value": _REGION},
                {"type": "choices", "value": {"choices": ["good"]}},
            ]},
            {"id": 2, "was_cancelled": True, "result": [
                {"type": "timelinelabels", "value": {**_REGION, "timelinelabels": ["wrong"]}},
            ]},
        ],
        "predictions": [{"result": [{"type": "timelinelabels", "value": _REGION}]}],
    },
    {"id": 2, "data": {"video": "s3://bucket/in/v07.mp4?X-Amz=1"}, "annotations": []},
]  # fmt: skip
LABEL_STUDIO_SOUND = [
    {
        "data": {"audio": "/data/local-files/?d=in%2Fv06.wav"},
        "annotations": [{"result": [
            {"type": "labels", "value": {"start": 1.5, "end": 3.5, "channel": 0, "labels": ["right"]}},
            {"type": "timeserieslabels",
             "value": {"start": 2, "end": 2, "instant": True, "timeserieslabels": ["x"]}},
        ]}],
    }
]  # fmt: skip
LABEL_STUDIO_BOXES = [
    {
        "data": {"video": "v06.mp4"},
        "annotations": [{"result": [{"type": "videorectangle", "value": {
            "framesCount": 135, "duration": 9.0, "labels": ["right"], "sequence": [
                {"frame": 24, "enabled": True, "time": 1.6, "x": 1, "y": 1, "width": 1, "height": 1},
                {"frame": 53, "enabled": False, "time": 3.53, "x": 1, "y": 1, "width": 1, "height": 1},
            ]}}]}],
    }
]  # fmt: skip
LABEL_STUDIO_SHORT = [{"id": 1, "video": "/data/upload/1/0123abcd-v06.mp4", "annotation_id": 5,
                       "annotator": 1, "videoLabels": [_REGION]}]  # fmt: skip
CVAT = b"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><id>3</id><name>kitchen</name><source>v06.mp4</source>
</task></meta><track id="0" label="right"><box frame="23" outside="0" keyframe="1"/>
<box frame="53" outside="1" keyframe="1"/></track></annotations>"""
CVAT_TAGS = (
    b"""<annotations><version>1.1</version><meta><task><name>v06.mp4</name></task></meta>
"""
    + b"".join(
        b'<image id="%d" name="frame_%06d"><tag label="right"/></image>' % (n, n)
        for n in range(23, 53)
    )
    + b"</annotations>"
)
EAF = b"""<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT><HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/in/v06.mp4" MIME_TYPE="video/mp4"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1500"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="3500"/>
</TIME_ORDER><TIER TIER_ID="action"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1"
TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE>right</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
</ANNOTATION_DOCUMENT>"""
VIA = {
    "project": {"pid": "__VIA_PROJECT_ID__", "data_format_version": "3.1.1", "vid_list": ["1"]},
    "config": {},
    "attribute": {
        "1": {"aname": "TEMPORAL-SEGMENTS", "type": 4, "options": {"1": "left", "2": "right"}}
    },
    "file": {"1": {"fid": "1", "fname": "v06.mp4", "type": 4, "loc": 1, "src": ""}},
    "view": {"1": {"fid_list": ["1"]}},
    "metadata": {
        "1_a": {"vid": "1", "flg": 0, "z": [1.5, 3.5], "xy": [], "av": {"1": "2"}},
        "1_b": {"vid": "1", "flg": 0, "z": [2.0], "xy": [2, 1, 1, 5, 5], "av": {"1": "1"}},
    },
}
BORIS = (
    b"Observation id,Media file name,Total length,FPS,Subject,Behavior,Behavior type,Start (s),Stop (s),"
    b"Duration (s)\nobs1,v06.mp4,9.0,15,No focal subject,right,STATE,1.5,3.5,2.0\n"
    b"obs1,v06.mp4,9.0,15,No focal subject,blink,POINT,1.5,1.5,0\n"
)
BORIS_EVENTS = (
    b"Observation id\tSource\tMedia duration (s)\tFPS (frame/s)\tSubject\tBehavior\tBehavior type\tTime\n"
    b"obs1\tplayer #1:v06.mp4\t9.0\t15\t\tright\tSTART\t1.5\nobs1\tplayer #1:v06.mp4\t9.0\t15\t\tright\tSTOP\t3.5\n"
)
CHARADES = (
    b"id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
    b'46GP8,HR43,Kitchen,6,7,Yes,"A person, cooking",food,desc,c092 11.90 21.20;c147 0.00 12.60,24.83\n'
    b"N11GT,0KZ7,Stairs,7,7,Yes,Nothing,,,,18.0\n"
)
EGO4D = {
    "version": "v1", "videos": [{"video_uid": "vid", "split": "train", "clips": [{
        "clip_uid": "v06", "video_start_sec": 0.0, "video_end_sec": 480.0, "annotations": [
            {"annotator_uid": "a", "labels": [
                {"start_time": 1.5, "end_time": 3.5, "label": "right", "primary": True},
                {"start_time": 5.0, "end_time": 6.0, "label": "down", "primary": False},
            ]}]}]}],
}  # fmt: skip
EGO4D_CLIPS = {"v06": {"video_id": "vid", "clip_id": "v06", "parent_start_sec": 0.0, "fps": 1.87,
                       "parent_end_sec": 480.0, "subset": "val", "annotations": [
                           {"start_time": 1.5, "end_time": 3.5, "label": "right"}]}}  # fmt: skip
PERCEPTION = {"v06": {
    "metadata": {"split": "train", "frame_rate": 30.0, "num_frames": 270, "video_id": "v06"},
    "action_localisation": [
        {"id": 0, "label_id": 3, "label": "right", "frame_ids": [45, 104], "timestamps": [1500000, 3500000]},
        {"id": 1, "label_id": 3, "label": "right", "frame_ids": [150, 179]},
    ],
}}  # fmt: skip
MMACTION2 = {"v06": {"duration_second": 9.0, "duration_frame": 135, "feature_frame": 128,
                     "annotations": [{"segment": [1.5, 3.5], "label": "right"}]}}  # fmt: skip
COCO = {"videos": [{"id": 1, "file_name": "in/v06.mp4", "duration": 9.0}],
        "categories": [{"id": 7, "name": "right"}],
        "annotations": [{"id": 1, "video_id": 1, "category_id": 7, "segment": [1.5, 3.5]}]}  # fmt: skip
COCO_FRAMES = {
    **COCO,
    "annotations": [{"video_id": 1, "category_id": 7, "start_frame": 23, "end_frame": 53}],
}
THUMOS_JSON = {"database": {"video_test_0000004": {"subset": "Test", "duration": 33.8, "fps": 30.0,
               "annotations": [{"label": "Diving", "segment": [0.2, 1.1], "label_id": 3}]}}}  # fmt: skip
NUMBERED = {
    "video_test_0000004": {"subset": "testing", "duration": 33.8, "actions": [[3, 0.2, 1.1]]}
}
ELAN_HEADED = (
    b"Tier\tParticipant\tBegin Time - hh:mm:ss.ms\tEnd Time - hh:mm:ss.ms\tAnnotation\tFile\n"
    b"action\t\t00:00:01.500\t00:00:03.500\tright\tv06.eaf\n"
)
TABLE = (
    b"video,start,end,label,subset\nv06,1.5,3.5,right,training\nv07,2,4,right,validation\n"
    b"v08,,,,validation\n"
)
ACTIVITYNET = {"database": {"v06": {"subset": "training", "duration": 9.0, "annotations": [
    {"segment": [1.5, 3.5], "label": "right"}]},
    "v07": {"subset": "validation", "duration": "9", "annotations": []}}}  # fmt: skip

SAMPLES: dict[str, Sample] = {
    "label_studio": Sample("label_studio", "a.json", as_json(LABEL_STUDIO), _FRAMES, 15),
    "label_studio sound": Sample("label_studio", "a.json", as_json(LABEL_STUDIO_SOUND), RIGHT),
    "label_studio boxes": Sample("label_studio", "a.json", as_json(LABEL_STUDIO_BOXES), _FRAMES),
    "label_studio short": Sample(
        "label_studio", "a.json", as_json(LABEL_STUDIO_SHORT), _FRAMES, 15
    ),
    "label_studio csv": Sample(
        "label_studio",
        "a.csv",
        b"annotation_id,annotator,id,video,videoLabels\n1,1,1,/data/upload/1/0123abcd-v06.mp4,"
        b'"[{""ranges"": [{""start"": 24, ""end"": 53}], ""timelinelabels"": [""right""]}]"\n',
        _FRAMES,
        15,
    ),
    "cvat": Sample("cvat", "annotations.xml", CVAT, _FRAMES, 15),
    "cvat tags": Sample("cvat", "annotations.xml", CVAT_TAGS, _FRAMES, 15),
    "elan": Sample("elan", "any.eaf", EAF, RIGHT),
    "elan text": Sample(
        "elan",
        "v06.txt",
        b"action\t\t00:00:01.500\t1.5\t00:00:03.500\t3.5\t00:00:02.000\t2.0\tright\n",
        RIGHT,
    ),
    "elan headed": Sample("elan", "any.txt", ELAN_HEADED, RIGHT),
    "elan number": Sample(
        "elan",
        "v06.txt",
        b"t\t\t00:00:01.500\t00:00:03.500\t00:00:02.000\t7\n",
        (("v06", 1.5, 3.5, "7"),),
    ),
    "via": Sample("via", "a.json", as_json(VIA), RIGHT),
    "boris": Sample("boris", "a.csv", BORIS, RIGHT),
    "boris events": Sample("boris", "a.tsv", BORIS_EVENTS, RIGHT),
    "audacity": Sample(
        "audacity",
        "v06.txt",
        b"1.500000\t3.500000\tright\n\\\t100.0\t200.0\n4.0\t4.0\tpoint\n",
        RIGHT,
    ),
    "charades": Sample(
        "charades",
        "a.csv",
        CHARADES,
        (("46GP8", 11.9, 21.2, "c092"), ("46GP8", 0.0, 12.6, "c147")),
        empty=("N11GT",),
    ),
    "multithumos": Sample(
        "multithumos", "a.json", as_json(NUMBERED), (("video_test_0000004", 0.2, 1.1, "3"),)
    ),
    "multithumos text": Sample(
        "multithumos",
        "Diving.txt",
        b"video_test_0000004 0.2 1.1\nvideo_validation_0000051 3.0 4.5\n",
        (
            ("video_test_0000004", 0.2, 1.1, "Diving"),
            ("video_validation_0000051", 3.0, 4.5, "Diving"),
        ),
    ),
    "thumos14": Sample(
        "thumos14",
        "Ambiguous_test.txt",
        b"video_test_0000004  0.2 1.1\n",
        (("video_test_0000004", 0.2, 1.1, "Ambiguous"),),
    ),
    "thumos14 json": Sample(
        "thumos14", "a.json", as_json(THUMOS_JSON), (("video_test_0000004", 0.2, 1.1, "Diving"),)
    ),
    "ego4d": Sample("ego4d", "a.json", as_json(EGO4D), RIGHT),
    "ego4d clips": Sample("ego4d", "a.json", as_json(EGO4D_CLIPS), RIGHT),
    "perception_test": Sample(
        "perception_test", "a.json", as_json(PERCEPTION), (*RIGHT, ("v06", 5.0, 6.0, "right"))
    ),
    "mmaction2": Sample("mmaction2", "a.json", as_json(MMACTION2), RIGHT),
    "coco_temporal": Sample("coco_temporal", "a.json", as_json(COCO), RIGHT),
    "coco_temporal frames": Sample("coco_temporal", "a.json", as_json(COCO_FRAMES), _FRAMES, 15),
    "table": Sample("table", "a.csv", TABLE, (*RIGHT, ("v07", 2.0, 4.0, "right")), empty=("v08",)),
    "table of frames": Sample(
        "table", "a.csv", b"video,start_frame,end_frame,label\nv06,23,53,right\n", _FRAMES, 15
    ),
    "activitynet": Sample("activitynet", "a.json", as_json(ACTIVITYNET), RIGHT, empty=("v07",)),
}
