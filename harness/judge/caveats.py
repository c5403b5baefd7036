"""What a reader has to know beside the verdict."""

from collections.abc import Iterator

from harness.judge.evidence import Evidence
from harness.judge.looks import Look
from harness.judge.obstacles import same_session
from harness.judge.samples import lonely_rounds, totals, unmatched
from harness.judge.spread import Spread
from harness.judge.wording import describe_change, plural
from harness.model import SIDES, Run, Sample
from harness.statistics import counts, rates
from harness.statistics.rates import rule_of_three


def caveats_of_runs(scenario: str, runs: tuple[Run, Run]) -> Iterator[str]:
    """What holds for every metric of a scenario, whatever its values say."""
    if not same_session(*runs):
        yield "measured in different sessions: the machine may have changed in between"
        if not any(run.environment.stable for run in runs):
            yield "no environment is recorded: nobody knows whether it was the same machine"
    for side, run in zip(SIDES, runs, strict=True):
        if run.state == "interrupted":
            yield f"{side} was interrupted"
        failures = sum(failure.scenario == scenario for failure in run.failures)
        if failures:
            yield f"the scenario failed {plural(failures, 'time')} in {side}"


def caveats_of_look(look: Look) -> Iterator[str]:
    """Rounds that were measured and do not count."""
    if look.left_out:
        counting = plural(len(look.rounds) - look.left_out, "round")
        yield f"judged at the look after {counting}: {look.left_out} more do not count"


def caveats_of_samples(before: Sample, after: Sample, *, paired: bool) -> Iterator[str]:
    """What the values and definitions of two valid samples bring along."""
    changed = [
        f"{name} {getattr(before.metric, name)} / {getattr(after.metric, name)}"
        for name in ("floor", "smallest_effect", "gated")
        if getattr(before.metric, name) != getattr(after.metric, name)
    ]
    if changed:
        yield f"judged by the definition of after: {', '.join(changed)}"
    if paired and before.metric.kind == "noisy" and (lonely := unmatched(before, after)):
        yield f"{plural(lonely, 'pair')} measured on one side only, left out"
    if paired and before.metric.kind != "noisy" and (lonely := lonely_rounds(before, after)):
        yield f"{plural(lonely, 'round')} measured on one side only, left out"
    if before.metric.kind == "rate":
        yield from _extreme_shares(before, after)


def _extreme_shares(before: Sample, after: Sample) -> Iterator[str]:
    for side, sample in zip(SIDES, (before, after), strict=True):
        n, hits = len(sample.values), int(sum(sample.values))
        bound = 100 * rule_of_three(n)
        if hits == 0:
            yield f"0 of {n} in {side}: the share may still be up to {bound:.3g} % (95 % sure)"
        elif hits == n:
            yield f"{n} of {n} in {side}: the share may still be down to {100 - bound:.3g} % (95 % sure)"


def caveats_of_evidence(
    evidence: Evidence, before: Sample, after: Sample, spread: Spread | None = None
) -> Iterator[str]:
    """What happened to the evidence on its way; ``spread`` is what it was widened by, when that was measured."""
    if evidence.slack:
        factor = describe_change(evidence.reported(evidence.slack), "noisy", "relative")
        known = f", as {spread.sessions} sessions here tell" if spread else ""
        yield f"the interval is widened on both sides by what two sessions may differ ({factor}{known})"
    if evidence.paired or before.metric.kind == "noisy":
        return
    dispersion = counts.dispersion if before.metric.kind == "count" else rates.dispersion
    if (excess := dispersion(totals(before), totals(after))) > 1:
        what = "events" if before.metric.kind == "count" else "trials"
        yield f"the rounds vary {excess:.3g} times as much as independent {what} would; allowed for"
