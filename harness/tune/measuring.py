"""Measures candidates: fresh instances of a service with each one's settings, in interleaved rounds on one stack."""

import contextlib
import http.client
import math
import secrets
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
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
from harness.statistics.rates import wilson
from harness.statistics.student import two_sided
from harness.tune.candidates import Estimate

Series = Mapping[str, Sequence[float]]
"""What one candidate gave in one round: name -> values."""
Trial = Callable[[ServiceStack, RunningService, int, int], Series]
"""Measures once: in this stack, this instance, of candidate number, in round number."""
_ALPHA = 0.05


def measure(
    project: Project,
    origin: str,
    service: str,
    settings: Sequence[Mapping[str, str]],
    trial: Trial,
    *,
    rounds: int,
    seed: int,
    logs: Path,
    tell: Callable[[str], None],
) -> list[list[Series]]:
    """What each candidate gave in each round: variant ``origin`` with the candidate's settings in place of its own.

    The services run as local processes. In every round each candidate comes once, in an order drawn for it, as a fresh
    process whose background work is done. Raises HarnessError when something cannot be measured.
    """
    found: list[list[Series]] = [[] for _ in settings]
    with contextlib.ExitStack() as cleanup:
        watchdog = cleanup.enter_context(Watchdog())
        data = Path(tempfile.mkdtemp(prefix="harness-"))
        watchdog.folder(str(data))
        secret = secrets.token_urlsafe(18)
        variant = configured(project, origin)
        stack = LocalStack(project, "before", variant, label="tune", folder=data, secret=secret, watchdog=watchdog)
        stack.logs = logs
        cleanup.enter_context(interruptible())
        cleanup.callback(stack.close)
        stack.open()
        stack.restart()
        for number in range(rounds):
            order = list(range(len(settings)))
            generator(seed, "order", number).shuffle(order)
            for index in order:
                tell(f"round {number + 1} of {rounds}, candidate {index + 1} of {len(settings)}")
                found[index].append(_one(stack, service, settings[index], trial, index, number))
    return found


def _one(
    stack: ServiceStack, service: str, settings: Mapping[str, str], trial: Trial, index: int, number: int
) -> Series:
    with stack.another(service, settings, settled=True) as (running, _):
        try:
            return trial(stack, running, index, number)
        except (OSError, http.client.HTTPException) as error:
            stack.check_alive()
            raise HarnessError(f"{service}: no answer: {str(error) or type(error).__name__}") from None


def estimate(metric: Metric, rounds: Sequence[Sequence[float]]) -> Estimate:
    """The mean of all rounds with its 95 % interval: Wilson's of a rate's trials; else Student's, over rounds."""
    values = [value for series in rounds for value in series]
    if metric.kind == "rate":
        low, high = wilson(sum(values), len(values), _ALPHA)
        return Estimate(statistics.fmean(values), low, high, len(rounds), len(values))
    return over_rounds([statistics.fmean(series) for series in rounds], len(values))


def over_rounds(means: Sequence[float], n: int) -> Estimate:
    """The mean of the rounds' means with Student's 95 % interval; of a single round it is unbounded."""
    mean = statistics.fmean(means)
    if len(means) == 1:
        return Estimate(mean, -math.inf, math.inf, 1, n)
    half = two_sided(_ALPHA, len(means) - 1) * statistics.stdev(means) / math.sqrt(len(means))
    return Estimate(mean, mean - half, mean + half, len(means), n)
