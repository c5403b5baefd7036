"""``harness doctor``: can this machine measure, and how noisy is it?"""

import importlib.util
import os
import statistics
import time
from pathlib import Path

import click

from harness.cli.doctor_docker import docker_lines, image_names
from harness.cli.options import config_option
from harness.configuration.find import find
from harness.configuration.load import load
from harness.errors import ExitCode, HarnessError
from harness.measure.environment import environment
from harness.report.escape import terminal

_BLOCKS = 200


@click.command("doctor")
@config_option
@click.option("--clean", is_flag=True, help="Remove the containers, networks and volumes of harnesses that are gone.")
def command(config: Path | None, *, clean: bool) -> int:
    """Show the machine, what is installed, whether the configuration is sound, how noisy the machine is now, the
    Docker engine and what earlier sessions left there."""
    here = environment(Path.cwd(), "local")
    for key, value in {**here.stable, **here.volatile}.items():
        click.echo(f"{key:15} {value}")
    for module, extra in (
        ("chdb", "embedded"),
        ("clickhouse_connect", "reference"),
        ("starlette", "reference"),
        ("ruptures", "changepoints"),
        ("docker", "docker"),
        ("testcontainers", "docker"),
    ):
        installed = importlib.util.find_spec(module) is not None
        click.echo(f"{module:15} {'installed' if installed else f'not installed: extra [{extra}]'}")
    click.echo(f"{'noise':15} {noise()}")
    images: tuple[str, ...] = ()
    code = ExitCode.OK
    try:
        project = load(config if config is not None else find(Path.cwd()))
    except HarnessError as error:
        click.echo(f"{'configuration':15} {error}")
        code = ExitCode.USAGE
    else:
        services = ", ".join(project.system.services)
        click.echo(f"{'configuration':15} {project.file}: {services}; variants {', '.join(project.system.variants)}")
        images = image_names(project.system)
    for line in docker_lines(images, clean=clean):
        click.echo(f"{line.key:15} {terminal(line.text)}")
        if line.failed and code == ExitCode.OK:
            code = ExitCode.ENVIRONMENT
    return int(code)


def noise() -> str:
    """How much the same short work varies right now, in wall and processor time."""
    wall, cpu = [], []
    for _ in range(_BLOCKS):
        start, used = time.perf_counter(), time.process_time()
        sum(range(50_000))
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return (
        f"middle half of {_BLOCKS} equal blocks of work spreads by {_spread(wall):.0%} of the median "
        f"(processor time {_spread(cpu):.0%}), {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )


def _spread(values: list[float]) -> float:
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / middle
