"""The stages on the command line, in short functions; heavy modules are imported inside them."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.data.config_command import config
from pipeline.cli.data.feature_commands import export_features, import_features
from pipeline.cli.data.file_commands import convert, score
from pipeline.cli.data.init_command import init
from pipeline.cli.group import PREFIX, Commands
from pipeline.cli.model_commands import export, info
from pipeline.cli.options import ALL, LOG, configured
from pipeline.cli.predict_command import predict
from pipeline.cli.results.compare_command import compare
from pipeline.cli.results.explain_command import explain
from pipeline.cli.results.report_command import report, say_report
from pipeline.cli.results.sweep_command import sweep
from pipeline.cli.stages.doing import do
from pipeline.cli.stages.eval_commands import eval_classifier, evaluate
from pipeline.cli.stages.stage_commands import bmn, classify, detect, extract, finetune, proxies
from pipeline.cli.stages.submit_command import submit
from pipeline.cli.tool_commands import demo, doctor, plan, status, verify

EPILOG = (
    "Every command has --help. An interrupted stage continues if the same command is run again."
)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"auto_envvar_prefix": PREFIX})
@click.version_option(package_name="tada-loc", prog_name="tada-loc")
@click.option("--debug", is_flag=True, help="Show a traceback if something unexpected fails.")
def main(debug: bool) -> None:
    """Raw untrimmed videos in, localized actions and mAP out.

    \b
    finetune   annotated segments -> classifier
    extract    videos -> clip features (HDF5)
    bmn        features -> proposals (detect: by BMN, or detections by ActionFormer)
    classify   proposals -> detections
    eval       detections -> mAP

    Example: tada-loc run --config demo --run-dir runs/demo
    """


@click.command()
@LOG
@configured(*ALL)
def run(**options: Any) -> None:
    """Run all stages in order.

    Stages that are done and up to date are not run again.

    Example: tada-loc run --config hacs --run-dir runs/hacs
    """
    say_report(do(None, options))


main.add_section(
    "Stages", finetune, extract, bmn, detect, classify, evaluate, eval_classifier, run, proxies
)
main.add_section("Your data", init, config, doctor, convert, import_features, export_features)
main.add_section("Results", report, compare, explain, sweep, score)
main.add_section("Trained models", predict, export, info)
main.add_section("Runs and machines", status, verify, plan, submit, demo)
