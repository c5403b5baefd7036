"""Measures candidates: fresh instances of a service with each one's settings, in interleaved rounds on one stack."""

import contextlib
import http.client
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.configuration.load import Project
from harness.errors import HarnessError
from harness.measure.local_stack import LocalStack
from harness.measure.order import generator
from harness.measure.service import RunningService
from harness.measure.signals import interruptible
from harness.measure.stack import ServiceStack
from harness.measure.variants import configured
from harness.measure.watchdog import Watchdog
from harness.model import Metric
from harness.tune.candidates import Candidate, Confirmed
from harness.tune.estimates import Series, confirmed

Trial = Callable[[ServiceStack, RunningService, int, int], Series]
"""Measures once: in this stack, this instance, of candidate number, in round number."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure: interleaved rounds of all candidates."""

    confirm: int
    """How many of the picked, beside the variants; 0: nothing is measured."""
    rounds: int
    seed: int
    logs: Path
    """Where the services' output goes."""
    tell: Callable[[str], None]


def confirm(
    project: Project,
    service: str,
    candidates: Sequence[Candidate],
    objectives: Sequence[Metric],
    trial: Trial,
    plan: Plan,
    *,
    also: Mapping[str, str] | None = None,
    settled: bool = True,
) -> tuple[Confirmed, ...]:
    """Measure ``candidates``: `after` with their settings, and ``also`` those, in place of its own.

    The services run as local processes. In every round each candidate comes once, in an order drawn for it, as a fresh
    process; ``settled``: once its background work is done. Raises HarnessError when something cannot be measured.
    """
    settings = [{**candidate.settings, **(also or {})} for candidate in candidates]
    found: list[list[Series]] = [[] for _ in settings]
    with contextlib.ExitStack() as cleanup:
        watchdog = cleanup.enter_context(Watchdog())
        data = Path(tempfile.mkdtemp(prefix="harness-"))
        watchdog.folder(str(data))
        secret = secrets.token_urlsafe(18)
        variant = configured(project, "after")
        stack = LocalStack(project, "before", variant, label="tune", folder=data, secret=secret, watchdog=watchdog)
        stack.logs = plan.logs
        cleanup.enter_context(interruptible())
        cleanup.callback(stack.close)
        stack.open()
        stack.restart()
        for number in range(plan.rounds):
            order = list(range(len(settings)))
            generator(plan.seed, "order", number).shuffle(order)
            for index in order:
                plan.tell(f"round {number + 1} of {plan.rounds}, candidate {index + 1} of {len(settings)}")
                found[index].append(_one(stack, service, settings[index], trial, index, number, settled=settled))
    return tuple(confirmed(one, objectives, rounds) for one, rounds in zip(candidates, found, strict=True))


def _one(
    stack: ServiceStack,
    service: str,
    settings: Mapping[str, str],
    trial: Trial,
    index: int,
    number: int,
    *,
    settled: bool,
) -> Series:
    with stack.another(service, settings, settled=settled) as (running, _):
        try:
            return trial(stack, running, index, number)
        except (OSError, http.client.HTTPException) as error:
            stack.check_alive()
            raise HarnessError(f"{service}: no answer: {str(error) or type(error).__name__}") from None


def how(plan: Plan) -> str:
    """How it was measured, in words."""
    load = os.getloadavg()[0]
    return (
        f"{plan.rounds} rounds in drawn order (seed {plan.seed}), a fresh local process for each candidate, all of "
        f"them (before, too) with what else `after` says; at the end the load average of the machine was {load:.1f}."
    )
