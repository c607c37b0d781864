"""Tables of one's own: read right, or refused in one line."""

from __future__ import annotations

import gzip

import pytest

from pipeline.data.annotations import table
from pipeline.data.annotations.dataset import Dataset, Inputs
from pipeline.errors import UserError

# Ten videos of 9 s, as people and spreadsheets write them; all say the same.
VIDEOS = [(f"v{i:02d}", "training" if i < 6 else "validation") for i in range(10)]
SEGMENTS = [(1.5, 3.5, "right"), (5.0, 7.5, "down")]
ROWS = [(v, s, e, label, subset) for v, subset in VIDEOS for s, e, label in SEGMENTS]
HEADING = "video,start,end,label,subset"


def lines(form: str = "{},{},{},{},{}", heading: str = HEADING) -> str:
    """The rows in a form."""
    return "\n".join([heading, *(form.format(*row) for row in ROWS), ""])


def clock(seconds: float) -> str:
    return f"00:00:{seconds:05.2f}"


def read(path, content: str | bytes) -> Dataset:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return table.read(Inputs([path]))


def said(path, content: str | bytes) -> str:
    with pytest.raises(UserError) as caught:
        read(path, content)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_table_with_and_without_subset(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("video,start,end,label,subset\na,0,1,x,training\nb,1.5,2,y,validation\n")
    dataset = table.read(Inputs([path]))
    assert dataset.video_ids("validation") == ["b"]
    path.write_text("video,start,end,label\n" + "".join(f"v{i},0,1,x\n" for i in range(10)))
    dataset = table.read(Inputs([path]))
    assert dataset.video_ids("validation") == ["v4", "v9"]
    assert sum(dataset.notes.values()) == 2


def test_two_tables_are_training_and_validation(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f"video,start,end,label\n{name},0,1,x\n")
    dataset = table.read(Inputs([tmp_path / "a.csv", tmp_path / "b.csv"]))
    assert (dataset.video_ids("training"), dataset.video_ids("validation")) == (["a"], ["b"])


@pytest.mark.parametrize(
    "content",
    [
        lines("{};{};{};{};{}", HEADING.replace(",", ";")).replace(".", ","),
        lines('{},"{}","{}",{},{}').replace(".", ","),
        lines("{}\t{}\t{}\t{}\t{}", HEADING.replace(",", "\t")),
        "sep=;\r\n" + lines("{};{};{};{};{}", HEADING.replace(",", ";")),
        lines("{}, {}, {}, {}, {}", HEADING.replace(",", ", ")),
        lines('{}, "{}", {}, "{}", {}'),
        lines(heading="Video,Start,End,Label,Subset"),
        lines(heading="VIDEO_ID,START,END,ACTION,SPLIT"),
        lines(heading="File Name,Start Time (s),End Time (s),Class,Split"),
        lines(heading="filename,t_start,t_end,category,subset"),
        lines(heading="video,begin,stop,activity,subset"),
        lines(heading="media file,onset,to,event,subset"),
        lines("{}.mp4,{},{},{},{}"),
        lines("sub/{}.MKV,{},{},{},{}"),
        lines().replace("\nv03", "\n\nv03").replace("\nv04", "\n,,,,\nv04").replace("\nv05", "\n  \nv05"),
        lines("{},{},{},{},{},,", HEADING + ",,"),
        lines().replace("\n", "\r\n"),
        lines().replace("\n", "\r"),
        "\ufeff" + lines(),
        lines().encode("utf-16"),
        lines().encode("utf-16-le"),
        lines().encode("utf-16-be"),
        lines().encode("utf-32"),
        lines("{},{}s,{} sec,{},{}"),
        "\n".join([HEADING, *(f"{v},{clock(s)},{clock(e)},{n},{x}" for v, s, e, n, x in ROWS)]),
        "\n".join([HEADING, *(f"{v},0:{s:04.1f},0:{e},{n},{x}" for v, s, e, n, x in ROWS)]),
        "\n".join(
            [HEADING.replace("start", "start_ms").replace("end", "end_ms")]
            + [f"{v},{1000 * s:.0f},{1000 * e:.0f},{n},{x}" for v, s, e, n, x in ROWS]
        ),
    ],
)  # fmt: skip
def test_tables_as_people_write_them(tmp_path, content):
    dataset = read(tmp_path / "own.csv", content)
    columns = ["video", "start", "end", "label", "subset"]
    assert [tuple(row) for row in dataset.annotations[columns].itertuples(index=False)] == ROWS
    assert not dataset.notes
    assert dataset.video_ids("training") == [v for v, subset in VIDEOS if subset == "training"]


def test_hours_minutes_and_seconds(tmp_path):
    text = "video,start,end,label\na,1:02:03.5,1:02:04,x\na,75:30,75:30.25,x\na,0:00:01:,1,x\n"
    message = said(tmp_path / "own.csv", text)
    assert "line 4" in message and "hh:mm:ss" in message
    rows = read(tmp_path / "own.csv", text.rsplit("a,0", 1)[0]).annotations
    assert rows["start"].tolist() == [3723.5, 4530.0]
    assert rows["end"].tolist() == [3724.0, 4530.25]


def test_accents_of_windows_and_of_unicode(tmp_path):
    text = "video;start;end;label\ncafé;1,5;2;naïve\n"
    for encoding in ("cp1252", "utf-8", "utf-16"):
        dataset = read(tmp_path / "own.csv", text.encode(encoding))
        assert dataset.heads == (("naïve",),) and dataset.videos["video"].tolist() == ["café"]


def test_a_gzipped_table(tmp_path):
    dataset = read(tmp_path / "own.csv.gz", gzip.compress(lines().encode()))
    assert len(dataset.annotations) == 20


def test_a_video_in_which_nothing_happens(tmp_path):
    dataset = read(tmp_path / "own.csv", lines() + "v08b,,,,validation\n")
    assert dataset.video_ids("validation") == ["v06", "v07", "v08", "v09", "v08b"]
    assert len(dataset.annotations) == 20 and "v08b" not in set(dataset.annotations["video"])
    assert dataset.notes == {"videos stated to have no segment": 1}
    dataset = read(tmp_path / "own.csv", lines() + "v06,,,,validation\n")
    assert dataset.notes == {"videos stated to have no segment, which have some": 1}
    assert "no subset" in said(tmp_path / "own.csv", lines() + "v08b,,,,\n")
    assert "line 22" in said(tmp_path / "own.csv", lines() + "v08b,1,,,validation\n")
    assert "no annotation" in said(tmp_path / "own.csv", f"{HEADING}\nv08b,,,,validation\n")


def test_labels_spelled_twice_are_said_and_not_joined(tmp_path):
    text = "video,start,end,label\na,0,1,Right\na,1,2,right\na,3,4,right\na,5,6,right \nb,1,2,turn_left\n"
    dataset = read(tmp_path / "own.csv", text + "b,3,4,turn left\n")
    assert dataset.heads == (("Right", "right", "turn left", "turn_left"),)
    notes = list(dataset.notes)
    assert any("'Right' beside 3 of 'right'" in note for note in notes)
    assert any("'turn_left' beside 1 of 'turn left'" in note for note in notes)
    assert any("'right ', read as 'right'" in note for note in notes)


def test_names_of_files_and_ids(tmp_path):
    rows = "video,start,end,label\na.mp4,0,1,x\na,1,2,x\nin/a.mp4,2,3,x\nb.v2,0,1,x\n"
    dataset = read(tmp_path / "own.csv", rows)
    assert sorted(set(dataset.videos["video"])) == ["a", "b.v2"]
    assert "videos named with and without the file extension, taken as the same" in dataset.notes
    for one, other in (("a.mp4", "a.avi"), ("in/a.mp4", "out/a.mp4")):
        message = said(tmp_path / "own.csv", f"video,start,end,label\n{one},0,1,x\n{other},1,2,x\n")
        assert one in message and other in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("video,start,end\na,0,1\n", "label"),
        ("video,start,end,label\n", "no annotation"),
        ("video,start,end,label\na,zero,1,x\n", "line 2"),
        ("video,start,end,label\na,0,1,x\na,3,2,x\n", "line 3"),
        ("video,start,end,label\na,-1,2,x\n", "-1"),
        ("video,start,end,label\na,nan,2,x\n", "nan"),
        ("video,start,end,label\na,0,inf,x\n", "inf"),
        ("video,start,end,label\n../a,0,1,x\n", "../a"),
        ("video,start,end,label\na,0,1,\n", "no label"),
        ("video,start,end,label\na,0,1,x,y\n", "line 2: more fields"),
        ("video,start,end,label\n" + "a" * 240 + ",0,1,x\n", "240 bytes"),
        ("video,start,end,label,subset\na,0,1,x,s\na,2,3,x,t\n", "two subsets"),
        ("", "own.csv"),
        ('"', "own.csv"),
        ("video,start,end,label\n\n,,,\na,0,1,x\na,zero,1,x\n", "line 5: start 'zero'"),
        ('video,start,end,label\na,0,1,"x\ny"\nb,0,z,x\n', "line 4: end 'z'"),
        ('video,start,end,label\na,0,1,"x\nb,0,1,x\n', "line 2: not a CSV file"),
        ("a,1,2,x\nb,2,3,x\n", "the first line must name the columns"),
        ("name,start,end,label\na,1,2,x\n", "no column video; it has name, start, end, label"),
        ("video_id,filename,start,end,label\na,a,1,2,x\n", "video_id and filename"),
        ("video,start,start,end,label\na,1,1,2,x\n", "start and start"),
        ("video,start_ms,end,label\na,1,2,x\n", "milliseconds"),
        ('video,start,end,label\na,"1,500","2,500",x\n', "thousands"),
        ("video;start;end;label\na;1.234,5;2000;x\n", "'1.234,5'"),
        ("video,start,end,label\na,00:61:00,2,x\n", "'00:61:00'"),
        ("video,start,end,label\na,00:00:01:12,2,x\n", "frame number"),
        ("video,start,end,label\na,1_0,20,x\n", "1_0"),
        ("video,start,end,label\na,1e999,2,x\n", "inf"),
        ("video,start_frame,end_frame,label\na,1,2,x\n", "annotation_fps"),
        ("video,start,end,label\nv,1,2,a\n,3,4,b\n", "line 3: names no video"),
        ("video start end label\nv 1 2 a\n", "separated by a comma, a semicolon or a tab"),
    ],
)
def test_wrong_tables(tmp_path, text, words):
    assert words in said(tmp_path / "own.csv", text)


REMARKS = "lines that begin with # and are not segments, ignored"


@pytest.mark.parametrize(
    ("text", "passed_over"),
    [
        ("# by me, and you\n\n# today\nvideo;start;end;label\nv;1;2;a\n", 0),
        ("#video,start,end,label\nv,1,2,a\n", 0),
        ("#,video,start,end,label\n1,v,1,2,a\n", 0),
        ("video,start,end,label\n# v is done\nv,1,2,a\n# a, b, c, d, e\n", 2),
    ],
)
def test_remarks_are_no_videos(tmp_path, text, passed_over):
    dataset = read(tmp_path / "own.csv", text)
    assert dataset.videos["video"].tolist() == ["v"] and len(dataset.annotations) == 1
    assert dataset.notes[REMARKS] == passed_over


def test_lines_count_with_the_remarks(tmp_path):
    text = "# 1\n\n# 3\nvideo,start,end,label\n# 5\nv,x,2,a\n"
    assert "line 6: start 'x' is not a number" in said(tmp_path / "own.csv", text)


def test_a_video_may_begin_with_a_hash(tmp_path):
    dataset = read(tmp_path / "own.csv", "video,start,end,label\n#1,1,2,a\n#2,,,\n")
    assert dataset.videos["video"].tolist() == ["#1", "#2"] and not dataset.notes[REMARKS]


def test_commas_beside_points_may_be_of_thousands(tmp_path):
    text = "video\tstart\tend\tlabel\nv\t{}\t1,500\ta\n"
    assert "may be a thousands" in said(tmp_path / "own.csv", text.format("0.5"))
    assert read(tmp_path / "own.csv", text.format("0,500")).annotations["end"].tolist() == [1.5]
    # nothing counts thousands of nothing
    quoted = read(tmp_path / "own.csv", 'video,start,end,label\nv,"0,500","1,5",a\n')
    assert quoted.annotations["start"].tolist() == [0.5]


def test_numbers_as_pandas_writes_them_beside_empty_cells(tmp_path):
    dataset = read(tmp_path / "own.csv", "video,start,end,label\nv,1,2,3\nw,1,2,3.0\nx,1,2,30\n")
    assert [line for line in dataset.notes if "'3.0' beside 1 of '3'" in line]
    assert len(dataset.heads[0]) == 3


def test_bytes_that_are_no_text(tmp_path):
    assert "not a text file" in said(
        tmp_path / "own.csv", b"video,start,end,label\n\x01\xff\x00,0,1,x\n"
    )
