"""The command line: one module a command, loaded when the command is asked for."""

import importlib
import sys

import click

import harness
from harness.errors import ExitCode, HarnessError

_COMMANDS = {
    "run": "Measure both variants side by side, compare, report.",
    "compare": "Compare two run files, baselines or pytest-benchmark files.",
    "selftest": "Prove that the gate finds a slowdown, and nothing where there is none.",
    "report": "Write the report of a session again.",
    "baseline": "Keep runs under a name.",
    "claims": "Check sentences with numbers against what was measured.",
    "history": "Keep all runs in ClickHouse and look for steps over time.",
    "tune": "Search settings of retry, pool or cache; measure the best.",
    "list": "List the scenarios.",
    "doctor": "Show whether this machine can measure, and how well.",
}


class Commands(click.Group):
    """Knows the commands' names and one-line helps without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of a first day's work."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"harness.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``harness --help``."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine · 1-6 pytest's own · 10 regressed · 11 inconclusive (--strict) · 12 a scenario, a "
    "service or the environment failed · 13 nothing sound to compare with · 14 results not saved · 15 integrity.",
)
@click.version_option(harness.__version__, prog_name="harness")
def cli() -> None:
    """Measure two variants of a system side by side and say honestly what changed.

    \b
    harness run                          measure `before` and `after`, compare, report
    harness run -k retry --rounds 20     only some scenarios, more rounds
    harness compare old.json new.json --gate
    """


def main() -> None:
    """Entry point: a HarnessError becomes one line on standard error and its exit code."""
    try:
        code = cli(standalone_mode=False)
    except HarnessError as error:
        click.echo(f"harness: {error}", err=True)
        sys.exit(int(error.code))
    except click.exceptions.Abort:
        sys.exit(int(ExitCode.INTERRUPTED))
    except click.ClickException as error:
        error.show()
        sys.exit(int(ExitCode.USAGE))
    sys.exit(code if isinstance(code, int) else 0)
