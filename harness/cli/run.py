"""``harness run``: pytest on the project's scenarios, with the harness's options under shorter names."""

from pathlib import Path
from typing import NoReturn

import click

from harness.cli.options import config_option, project_of, run_pytest


@click.command("run")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--before", metavar="VARIANT", default="before", help="Variant to measure as before, or git:REF.")
@click.option(
    "--after",
    metavar="VARIANT",
    default="after",
    help="Variant to measure as after, or git:REF; the same one for an A/A run.",
)
@click.option(
    "--stack",
    type=click.Choice(["local", "docker"]),
    help="How services run: as local processes, or each in a container; default: what the configuration says.",
)
@click.option(
    "--image",
    "images",
    metavar="SERVICE=IMAGE",
    multiple=True,
    help="In Docker: run this service of this image, whatever the configuration says. May be repeated.",
)
@click.option("-k", "expression", metavar="EXPR", help="Only scenarios that match, as pytest's -k.")
@click.option(
    "--tag",
    type=click.Choice(["quick", "full", "soak"]),
    default="quick",
    help="The longest scenarios to measure; full includes quick, soak includes both (default: quick).",
)
@click.option("--rounds", type=click.IntRange(1), help="Rounds of every scenario, instead of its own number.")
@click.option("--seed", type=int, help="Seed of the order; default: drawn and written down.")
@click.option(
    "--resume", metavar="SESSION", help="Finish a session that was cut short: its folder, its name or latest."
)
@click.option("--gate/--no-gate", default=True, help="Whether verdicts decide the exit code (default: they do).")
@click.option("--strict", is_flag=True, help="An inconclusive gated metric fails too (exit code 11).")
@click.option("--ci", is_flag=True, help="What is required has to be measured, whatever -k and PATHS select.")
@click.option(
    "--baseline", metavar="BASELINE", help="Compare after with this one as well: its name, a run file, or latest."
)
@click.option(
    "--controls/--no-controls", default=True, help="Whether control arms certify the session (default: they do)."
)
@click.option(
    "--load-workers",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Processes that put load on a service, where a scenario does; default: 0, one that needs no master.",
)
@config_option
def command(
    paths: tuple[Path, ...],
    before: str,
    after: str,
    stack: str | None,
    images: tuple[str, ...],
    expression: str | None,
    tag: str,
    rounds: int | None,
    seed: int | None,
    resume: str | None,
    load_workers: int,
    *,
    gate: bool,
    strict: bool,
    ci: bool,
    controls: bool,
    baseline: str | None,
    config: Path | None,
) -> NoReturn:
    """Measure both variants side by side, compare, report.

    PATHS are scenario files or folders; default: those of the configuration. Plain `pytest PATHS` does the same.
    """
    project = project_of(config)
    arguments = [str(path) for path in paths or project.scenarios]
    arguments += ["--harness-config", str(project.file)]
    arguments += ["--harness-before", before, "--harness-after", after, "--harness-tag", tag]
    for image in images:
        arguments += ["--harness-image", image]
    for name, value in (
        ("-k", expression),
        ("--harness-stack", stack),
        ("--harness-rounds", rounds),
        ("--harness-seed", seed),
        ("--harness-resume", resume),
        ("--harness-baseline", baseline),
    ):
        if value is not None:
            arguments += [name, str(value)]
    if load_workers:
        arguments += ["--harness-load-workers", str(load_workers)]
    flags = {
        "--harness-no-gate": not gate,
        "--harness-strict": strict,
        "--harness-ci": ci,
        "--harness-no-controls": not controls,
    }
    arguments += [flag for flag, on in flags.items() if on]
    run_pytest(arguments)
