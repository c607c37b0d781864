"""What a stage's outputs depend on: settings that act in it are fields, others leave old folders valid."""

from __future__ import annotations

from pipeline.configuration.reading import find_config, load_config
from pipeline.runs.graph import row
from pipeline.runs.inputs.fields import setting_fields as fields_of_row

DECODED = {"batch_size", "crop", "short_side", "fps", "frames", "interval", "precision"}


def setting_fields(config, stage):
    return fields_of_row(config, row(stage))


def config(**more):
    fields = {key.replace("_", ".", 1): value for key, value in more.items()}
    return load_config(find_config("ek100"), fields)


def test_clips_decoded_at_proposals_depend_on_what_extraction_shows():
    stored = setting_fields(
        config(classify_mode="proposal", classify_source="features"), "classify"
    )
    assert not any(key.startswith("extract") for key in stored)
    chosen = config(classify_mode="proposal", classify_source="video", extract_short_side=64)
    fields = setting_fields(chosen, "classify")
    assert {key for key in fields if key.startswith("extract")} == {f"extract.{k}" for k in DECODED}
    assert fields["extract.short_side"] == 64
    # A video's classes come from its stored features, whatever the source.
    whole = setting_fields(config(classify_mode="video", classify_source="video"), "classify")
    assert not any(key.startswith("extract") for key in whole)


def test_the_seed_that_holds_videos_out_is_a_field_where_it_is_not_bmns_own():
    for more, there in (
        ({}, False),
        ({"finetune_seed": 3}, False),
        ({"dataset_hold_out": 0.2}, False),
        ({"dataset_hold_out": 0.2, "finetune_seed": 3}, True),
        ({"dataset_hold_out": 0.2, "finetune_seed": 3, "bmn_seed": 3}, False),
    ):
        assert ("finetune.seed" in setting_fields(config(**more), "bmn")) == there
