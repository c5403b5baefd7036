"""Wiring of ``harness tune retry``: the configuration in, a search and what was measured of its best out."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.configuration.load import Project
from harness.configuration.schema import RetryNames, TuneRetry
from harness.errors import ExitCode, HarnessError
from harness.measure.order import generator
from harness.model import SIDES, Side
from harness.report.wording import amount
from harness.retry import RetryPolicy
from harness.tune.candidates import Candidate, Confirmed, Search, picked, searched
from harness.tune.faults import MOST_ATTEMPTS, FaultMix, drawn, parse_mix
from harness.tune.measuring import Plan, confirm, how
from harness.tune.present import Tuning
from harness.tune.retry_model import OBJECTIVES, SIMULATED, WAITING, grid, jitters, predict, slow_tail
from harness.tune.retry_trial import RetryTrial
from harness.tune.subject import count_of, number_of, said, written


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    mix: str | None
    calls: int
    """In each round, to each candidate."""
    scale: float
    """Of all waits and time limits while measuring."""


def tune(project: Project, asked: Asked, plan: Plan) -> Tuning:
    """Search, and measure the best. Raises HarnessError."""
    subject = said(project, "retry", project.system.tune.retry)
    if plan.confirm and subject.scale is None and asked.scale != 1:
        raise HarnessError("--scale: [tune.retry] names no setting that shortens waits (scale)", ExitCode.USAGE)
    mix = parse_mix(subject.mix if asked.mix is None else asked.mix)
    policies = {side: _policy_of(project, subject, side) for side in SIDES}
    search, by_settings = _searched(subject, mix, policies)
    chosen = picked(search, max(plan.confirm, 3))
    notes = [
        f"Mix of faults: {mix.text}.",
        "Predicted exactly; what an attempt itself takes counts as nothing. "
        f"The 95 % quantile is from {SIMULATED} simulated calls, seed {plan.seed}.",
        _grid_note(search, subject),
    ]
    tails = {
        candidate.name: amount(slow_tail(_key(by_settings, candidate), mix, plan.seed), WAITING)
        for candidate in (*search.current, *chosen)
    }
    measured: tuple[Confirmed, ...] = ()
    if plan.confirm:
        shown = [*search.current, *chosen[: plan.confirm]]
        fates = drawn(mix, plan.rounds * asked.calls, generator(plan.seed, "fates"))
        split = [fates[i : i + asked.calls] for i in range(0, len(fates), asked.calls)]
        trial = RetryTrial(subject, [_key(by_settings, c) for c in shown], split, asked.scale, plan.seed)
        scale = {} if subject.scale is None else {subject.scale: repr(asked.scale)}
        # The calls need nothing of what goes on in the background, and at this scale that may take long.
        measured = confirm(project, subject.service, shown, OBJECTIVES, trial, plan, also=scale, settled=False)
        notes.append(
            f"Measured with all waits and time limits × {asked.scale:g}, shown in real time. {how(plan)} "
            f"{asked.calls} calls in each round; every candidate met the same faults, drawn so that the shares of the "
            "mix are met. The model beside it is of just those faults, plus what a good call just before took itself."
        )
    return Tuning("retry", subject.service, search, tuple(chosen), measured, {"p95": tails}, tuple(notes))


def _searched(
    subject: TuneRetry, mix: FaultMix, policies: Mapping[Side, RetryPolicy]
) -> tuple[Search, dict[tuple[str, ...], RetryPolicy]]:
    names = subject.settings
    settable = names.jitter_low is not None and names.jitter_high is not None
    tried = grid(
        mix,
        jitters(settable=settable, fixed=subject.jitter),
        timeouts=[policy.timeout for policy in policies.values()],
    )
    by_settings = {}

    def candidate(policy: RetryPolicy, name: str = "") -> Candidate:
        settings = _settings(policy, names)
        by_settings[tuple(settings.values())] = policy
        return Candidate(settings, predict(policy, mix), name)

    candidates = [candidate(policy) for policy in tried]
    current = [candidate(policy, side) for side, policy in policies.items()]
    return searched(OBJECTIVES, candidates, current), by_settings


def _key(by_settings: Mapping[tuple[str, ...], RetryPolicy], candidate: Candidate) -> RetryPolicy:
    return by_settings[tuple(candidate.settings.values())]


def _settings(policy: RetryPolicy, names: RetryNames) -> dict[str, str]:
    values: dict[str | None, float] = {
        names.attempts: policy.max_attempts,
        names.base: policy.base,
        names.factor: policy.factor,
        names.cap: policy.cap,
        names.timeout: policy.timeout,
        names.jitter_low: policy.jitter_low,
        names.jitter_high: policy.jitter_high,
    }
    return {name: written(float(value)) for name, value in values.items() if name is not None}


def _policy_of(project: Project, subject: TuneRetry, origin: str) -> RetryPolicy:
    """The policy in a variant's settings. Raises HarnessError (4) when one is missing, or not a number."""
    names = subject.settings

    def value(name: str) -> float:
        return number_of(project, origin, subject.service, name)

    low = subject.jitter[0] if names.jitter_low is None else value(names.jitter_low)
    high = subject.jitter[1] if names.jitter_high is None else value(names.jitter_high)
    base, factor, cap, timeout = (value(name) for name in (names.base, names.factor, names.cap, names.timeout))
    if low > high:
        message = f"{project.file}: variants: jitter of {origin}: {low:g} to {high:g}, the smaller one comes first"
        raise HarnessError(message, ExitCode.USAGE)
    attempts = count_of(project, origin, subject.service, names.attempts, most=MOST_ATTEMPTS)
    return RetryPolicy(attempts, base, factor, cap, timeout, low, high)


def _grid_note(search: Search, subject: TuneRetry) -> str:
    parts = []
    for name in search.tried[0].settings:
        values = sorted({float(candidate.settings[name]) for candidate in search.tried})
        parts.append(f"{name} {', '.join(f'{value:g}' for value in values)}")
    jitter = (
        "" if subject.settings.jitter_low else f"; jitter {subject.jitter[0]:g} to {subject.jitter[1]:g}, not searched"
    )
    return f"Searched, {len(search.tried)} different schedules: {'; '.join(parts)}{jitter}."
