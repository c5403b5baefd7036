"""Whether a session can be believed: what it says of comparisons whose answer is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from harness.errors import SEVERITY, ExitCode
from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Verdict
from harness.judge.gate import Gate
from harness.judge.obstacles import same_session
from harness.judge.policy import Policy
from harness.judge.wording import describe_change
from harness.model import PLACEBO, SPIKE_IN, SPIKE_SIZE, Metric, Run, Sample
from harness.statistics.signed_rank import fewest

PLACEBO_LEVEL = 0.001
"""Two-sided: one healthy session in a thousand may be called void by chance. It takes 11 rounds to reach it."""
SPIKE_LEVEL = 0.01
"""Two-sided: the spike-in has to be found with as little doubt as one gated metric at the default budget. 8 rounds."""
_LEVELS = {PLACEBO: PLACEBO_LEVEL, SPIKE_IN: SPIKE_LEVEL}
_JUDGED = Metric("latency", "s")
"""By which margins the arms are judged, whatever a project decides of other metrics."""
_LEAST_SHARE, _MOST_SHARE = 0.5, 2.0
"""A spike-in that is called a regression still has to be about as large as it was made: between half and twice of that,
as far as its interval tells. Else the session measures something, but not in the unit that it says."""
_CALLED = (Verdict.REGRESSED, Verdict.IMPROVED)


@dataclass(frozen=True, slots=True)
class Controls:
    """What the control arms say about their session."""

    placebo: Verdict | None
    spike_in: Verdict | None
    """None: there was none."""
    valid: bool
    """False: no verdict of the session means anything, as the placebo alarmed, the spike-in was missed or came out far
    too large, or one of the two was not measured."""
    sentence: str
    """What a report says."""
    undecided: bool = False
    """The spike-in was neither found nor missed: too few rounds, or too much noise."""


def without_controls(run: Run) -> Run:
    """The run as its scenarios measured it."""
    return replace(run, samples=tuple(sample for sample in run.samples if sample.scenario not in _LEVELS))


def compare_controls(before: Run, after: Run) -> tuple[Comparison, ...]:
    """Compare each control arm by itself, at a level of its own. Nothing for runs of two sessions."""
    if not same_session(before, after):
        return ()
    arms = ((_arm(before, name), _arm(after, name), level) for name, level in _LEVELS.items())
    return tuple(c for old, new, level in arms for c in compare_runs(old, new, Policy(error_budget=level)))


def _arm(run: Run, scenario: str) -> Run:
    """One arm as a run of its own, seen once, at its end: its verdict never decides whether rounds are added."""
    samples = tuple(_as_judged(sample) for sample in run.samples if sample.scenario == scenario)
    return replace(run, samples=samples, looks=(), own_rounds={}, selection="", unmeasured=())


def _as_judged(sample: Sample) -> Sample:
    return replace(sample, metric=_JUDGED)


def judge_controls(comparisons: Sequence[Comparison]) -> Controls:
    """What the arms, compared by ``compare_controls``, say about their session. Pure.

    The placebo alarms when it is called a change. The spike-in is missed when it is called no change, or when its whole
    interval lies below what was injected without being called, or below half of it even so; it is too large when all of
    it lies beyond twice of it. It is undecided when the interval holds both: then the session was too noisy (or too
    short) for a change of this size, and says so of every other comparison too. One arm without the other certifies
    nothing either.
    """
    arms = {comparison.scenario: comparison for comparison in comparisons}
    placebo, spike = arms.get(PLACEBO), arms.get(SPIKE_IN)
    if placebo is None and spike is None:
        return Controls(None, None, valid=True, sentence="no control arms")
    if not _measured(placebo) or not _measured(spike):
        lost = " and ".join(name for name, c in (("placebo", placebo), ("spike-in", spike)) if not _measured(c))
        seen = (arm.verdict if arm else None for arm in (placebo, spike))
        return Controls(next(seen), next(seen), valid=False, sentence=f"controls: {lost} not measured")
    alarms, wrong = placebo.verdict in _CALLED, _wrong(spike)
    found = spike.verdict is Verdict.REGRESSED and not wrong
    told = wrong or ("found" if found else f"undecided ({_why_undecided(spike)})")
    return Controls(
        placebo.verdict,
        spike.verdict,
        valid=not alarms and not wrong,
        sentence=f"controls: placebo {placebo.verdict}{_change(placebo)}, "
        f"spike-in of {_percent(SPIKE_SIZE)} {told}{_change(spike) if found or wrong else ''}",
        undecided=not found and not wrong,
    )


def _measured(arm: Comparison | None) -> TypeGuard[Comparison]:
    return arm is not None and arm.verdict not in (Verdict.MISSING, Verdict.INCOMPARABLE, Verdict.INVALID)


def _wrong(spike: Comparison) -> str:
    """What is wrong with a spike-in that shows something else than what was injected; empty when nothing is."""
    if spike.verdict in (Verdict.UNCHANGED, Verdict.IMPROVED):
        return "MISSED"
    if spike.effect is None:
        return ""
    least = SPIKE_SIZE * (_LEAST_SHARE if spike.verdict is Verdict.REGRESSED else 1)
    if spike.effect.high < least:
        return "MISSED"
    return "TOO LARGE" if spike.effect.low > _MOST_SHARE * SPIKE_SIZE else ""


def _why_undecided(spike: Comparison) -> str:
    if spike.effect is None:
        return spike.reason or "not measured"
    if spike.units < fewest(SPIKE_LEVEL):
        return f"{spike.units} rounds are too few, it takes {fewest(SPIKE_LEVEL)}"
    if spike.detectable is None:
        return "too much noise"
    return f"too much noise: only {_percent(spike.detectable)} could have been seen"


def _change(comparison: Comparison) -> str:
    return f" ({_percent(comparison.effect.value)})" if comparison.effect else ""


def _percent(change: float) -> str:
    return describe_change(change, "noisy", "relative")


def certify(gate: Gate, controls: Controls, policy: Policy) -> Gate:
    """The gate with what the control arms have to say: 12 when the session is void; 11 when they could not tell and
    ``policy.strict`` wants everything decided."""
    if not controls.valid:
        return _worse(gate, ExitCode.ENVIRONMENT, f"verdicts of this session are void: {controls.sentence}")
    if controls.undecided and policy.strict:
        return _worse(gate, ExitCode.INCONCLUSIVE, controls.sentence)
    return gate


def _worse(gate: Gate, code: ExitCode, reason: str) -> Gate:
    """The worse of two codes; what voids the rest is said first, what weighs less than the rest last."""
    worse = SEVERITY.index(code) <= SEVERITY.index(gate.exit_code)
    reasons = (reason, *gate.reasons) if worse else (*gate.reasons, reason)
    return replace(gate, exit_code=code if worse else gate.exit_code, reasons=reasons)
