"""Words of the command line to keys and values; what is refused, and how it is reported."""

from __future__ import annotations

import pytest
from helpers.small_runs import error_line

from pipeline.configuration.keys import known_keys
from pipeline.configuration.reading import find_config
from pipeline.errors import UsageError
from pipeline.tools.sweep.axes import Axis, Span, parse_axes

DEMO = find_config("demo")


def test_values_are_yaml_and_the_configuration_s_own():
    words = [
        "proposals.alpha=0.3,.4,1e-1,0.3",
        "proposals.count = null, 50",
        "classify.mode=video,'proposal'",
        "proposals.voting=~,0.75",
        "classify.top=3",
    ]
    assert parse_axes(words, DEMO) == (
        Axis("proposals.alpha", (0.3, 0.4, 0.1)),
        Axis("proposals.count", (None, 50)),
        Axis("classify.mode", ("video", "proposal")),
        Axis("proposals.voting", (None, 0.75)),
        Axis("classify.top", (3,)),
    )


def test_ranges_are_of_whole_numbers_where_the_key_takes_no_others():
    words = ["proposals.alpha=1..2", "classify.top=1..3", "proposals.voting=0.5..1"]
    assert parse_axes(words, DEMO) == (
        Axis("proposals.alpha", span=Span(1, 2, whole=False)),
        Axis("classify.top", span=Span(1, 3, whole=True)),
        Axis("proposals.voting", span=Span(0.5, 1, whole=False)),
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("proposals.alhpa=0.3", "did you mean proposals.alpha?"),
        ("propsals.alpha=0.3", "did you mean proposals.alpha?"),
        ("proposals.alpha=0.3,0", "proposals.alpha = 0: input should be greater than 0"),
        ("proposals.alpha=0.3,yes", "proposals.alpha = 'yes': input should be a number"),
        ("proposals.low=0.5,1.5", "proposals.low = 1.5"),
        ("proposals.low=0.5..1.5", "proposals.low = 1.5"),
        ("classify.top=1,2.5", "classify.top = 2.5"),
        ("classify.top=1.5..3", "classify.top = 1.5"),
        ("classify.mode=both", "classify.mode = 'both'"),
        ("proposals.alpha=0.5..0.3", "the end of the range must be above its start"),
        ("proposals.alpha=0.3,0.4..0.5", "proposals.alpha = '0.4..0.5'"),
        ("proposals.alpha=", "no value is given"),
        ("proposals.alpha", "write KEY=VALUE,VALUE"),
        ("=3", "write KEY=VALUE,VALUE"),
        ("proposals.alpha=[0.3,0.4]", "not lists"),
        ("proposals.alpha=0.3],[0.4", "is not a list of YAML values"),
        ("proposals.alpha={a: 1}", "not lists"),
        ("proposals=0.3", "proposals is a section"),
        ("eval.iou=0.5,0.7", "how results are measured"),
        ("bmn.epochs=10,20", "changes a training"),
        ("bmn.keep_maps=true", "changes no result"),
        ("finetune.epochs=10", "tada-loc finetune"),
        ("backbone.name=tsn,tada2d", "tada-loc finetune"),
        ("extract.stride=4,8", "tada-loc extract"),
        ("dataset.name=a", "takes the run as it is"),
        ("views.clips=1", "eval-classifier"),
        ("runtime.workers=1,2", "changes no result"),
        ("classify.scores=a.json,b.json", "names a file"),
    ],
)
def test_what_is_refused(word, said):
    with pytest.raises(UsageError) as caught:
        parse_axes([word], DEMO)
    assert said in caught.value.message and word.partition("=")[0] in caught.value.message


def test_every_key_is_swept_or_refused_with_a_reason():
    swept = set()
    for key in known_keys():
        try:
            parse_axes([f"{key}=0.5"], DEMO)
            swept.add(key)
        except UsageError as error:
            assert key in error.message
            if "= 0.5" in error.message:  # of another kind, but a key to sweep
                swept.add(key)
    sections = {
        key for key in known_keys() if key.startswith(("proposals.", "classify.", "detections."))
    }
    assert swept == sections - {
        "classify.scores",
        "detections.voting",
    }  # which belongs to per_class


def test_a_key_with_one_value_holds_for_the_others():
    words = ["detections.voting=0.5,null", "detections.per_class=false"]
    assert [axis.values for axis in parse_axes(words, DEMO)] == [(0.5, None), (False,)]
    with pytest.raises(UsageError, match=r"^detections.voting=0.5: .* set per_class: false"):
        parse_axes(words[:1], DEMO)
    with pytest.raises(UsageError, match="detections.voting"):
        parse_axes([words[0], "detections.per_class=true,false"], DEMO)


def test_a_key_given_twice_is_refused():
    with pytest.raises(UsageError, match="proposals.alpha is given twice"):
        parse_axes(["proposals.alpha=0.3", "proposals.alpha=0.4"], DEMO)


def test_what_is_refused_is_one_line_of_the_command(sweep):
    for word in ("proposals.alhpa=1", "bmn.epochs=3", "proposals.alpha=0.1\n,\x1b[31m"):
        result = sweep(word)
        assert result.exit_code == 2 and error_line(result)
