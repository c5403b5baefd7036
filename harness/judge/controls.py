"""Whether a session can be believed: what it says of comparisons whose answer is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
_CALLED = (Verdict.REGRESSED, Verdict.IMPROVED)


@dataclass(frozen=True, slots=True)
class Controls:
    """What the control arms say about their session."""

    placebo: Verdict | None
    spike_in: Verdict | None
    """None: there was none."""
    valid: bool
    """False: the placebo alarmed or the spike-in was missed, so no verdict of the session means anything."""
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
    interval lies below what was injected; it is undecided when the interval holds both: then the session was too noisy
    (or too short) for a change of this size, and says so of every other comparison too.
    """
    arms = {comparison.scenario: comparison for comparison in comparisons}
    placebo, spike = arms.get(PLACEBO), arms.get(SPIKE_IN)
    if placebo is None or spike is None:
        return Controls(None, None, valid=True, sentence="no control arms")
    alarms, missed = placebo.verdict in _CALLED, _missed(spike)
    found = spike.verdict is Verdict.REGRESSED
    told = "found" if found else "MISSED" if missed else f"undecided ({_why_undecided(spike)})"
    return Controls(
        placebo.verdict,
        spike.verdict,
        valid=not alarms and not missed,
        sentence=f"controls: placebo {placebo.verdict}{_change(placebo)}, "
        f"spike-in of {_percent(SPIKE_SIZE)} {told}{_change(spike) if found or missed else ''}",
        undecided=not found and not missed,
    )


def _missed(spike: Comparison) -> bool:
    if spike.verdict in (Verdict.UNCHANGED, Verdict.IMPROVED):
        return True
    return spike.verdict is Verdict.INCONCLUSIVE and spike.effect is not None and spike.effect.high < SPIKE_SIZE


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
