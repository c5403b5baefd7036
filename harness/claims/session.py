"""What measured sessions know of a metric: its comparison, what one variant measured, or why there is nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.judge.bounds import own_interval
from harness.judge.compare import EXPLORATORY, compare_runs
from harness.judge.comparison import Comparison, Estimate, Verdict
from harness.judge.controls import without_controls
from harness.judge.looks import reached
from harness.judge.policy import Policy
from harness.judge.required import ANY
from harness.model import SIDES, Run, Sample, Side
from harness.patterns import matches
from harness.statistics.counts import never_varies

Key = tuple[str, str]
"""Scenario and metric."""

NOTHING_JUDGED = (Verdict.MISSING, Verdict.INCOMPARABLE, Verdict.INVALID)


@dataclass(frozen=True, slots=True)
class Session:
    """Both runs of one session, compared."""

    label: str
    """What rows call it: A, B, and so on."""
    before: Run
    after: Run
    comparisons: Mapping[Key, Comparison]

    def sample(self, key: Key, side: Side) -> Sample | None:
        """The values of one variant in the rounds that count."""
        runs = (self.before, self.after)
        found = (s for s in runs[SIDES.index(side)].samples if (s.scenario, s.metric.name) == key and s.values)
        sample = next(found, None)
        return None if sample is None else reached(key[0], runs).counting(sample)

    def level(self, scenario: str) -> float:
        """The two-sided level of one variant's own interval; looking several times takes its share."""
        return reached(scenario, (self.before, self.after)).level(EXPLORATORY)


def rounds_of(comparison: Comparison, *samples: Sample | None) -> int:
    """In how many rounds a metric was measured: in both variants, or where only one has it, in that one."""
    return comparison.units or max((len(set(sample.rounds)) for sample in samples if sample), default=0)


def session_of(label: str, before: Run, after: Run, policy: Policy) -> Session:
    """Compare both runs as every report does, control arms aside."""
    runs = without_controls(before), without_controls(after)
    comparisons = compare_runs(*runs, policy)
    return Session(label, *runs, {(c.scenario, c.metric.name): c for c in comparisons if c.metric.name != ANY})


def best(key: Key, sessions: Sequence[Session]) -> Session:
    """The first of ``sessions`` that compared ``key`` in enough rounds to tell anything (that is known beforehand: a
    long session judges so much that few rounds tell nothing), or else in any, or else the first that knows it."""
    having = [session for session in sessions if key in session.comparisons]
    judged = [session for session in having if session.comparisons[key].verdict not in NOTHING_JUDGED]
    enough = (session for session in judged if session.comparisons[key].enough)
    return next(enough, (judged or having)[0])


def own_of(session: Session, key: Key, side: Side) -> Estimate | None:
    """The median of one variant, or its share, inside its interval; a count that is always the same is exact."""
    sample, comparison = session.sample(key, side), session.comparisons[key]
    summary = comparison.before if side == "before" else comparison.after
    if sample is None or summary is None or comparison.verdict is Verdict.INVALID:
        return None
    if sample.metric.kind == "count" and never_varies(sample.values) and len(set(sample.rounds)) > 1:
        return Estimate(summary.median, summary.median, summary.median, 1.0)
    level = session.level(key[0])
    return Estimate(summary.median, *own_interval(sample, level), 1 - level)


def of_after(session: Session, name: str) -> Sample | None:
    """The values of the metric ``name``, that is ``scenario:metric``, in ``after``."""
    return next((session.sample(key, "after") for key in session.comparisons if ":".join(key) == name), None)


def within(run: Run, first: Sample, second: Sample) -> Comparison:
    """The change from one sample of ``run`` to another, by the usual comparison: the first plays ``before``."""
    # Under one name, or they would not be compared; what else differs in their definitions makes them incomparable.
    played = replace(first, scenario=second.scenario, metric=replace(first.metric, name=second.metric.name))
    compared = compare_runs(
        replace(run, samples=(played,)), replace(run, samples=(second,)), Policy(error_budget=EXPLORATORY)
    )
    return compared[0]


def unmeasured(pattern: str, sessions: Sequence[Session]) -> list[str]:
    """The scenarios meant by ``pattern`` that a session knows of, though it may have no value of them."""
    runs = [run for session in sessions for run in (session.before, session.after)]
    known = [f.scenario for run in runs for f in run.failures] + [u.scenario for run in runs for u in run.unmeasured]
    known += [name for run in runs for name in run.left_out]
    return [name for name in dict.fromkeys(known) if matches(name, pattern)]


def why_absent(pattern: str, sessions: Sequence[Session]) -> str:
    """What is known of a metric that no session has."""
    scenario, _, metric = pattern.partition(":")
    for session in sessions:
        if names := [key[1] for key in session.comparisons if matches(key[0], scenario)]:
            return f"{scenario} has no metric {metric}; it has {', '.join(dict.fromkeys(names))}"
        runs = (session.before, session.after)
        told = [f"failed: {f.message}" for run in runs for f in run.failures if matches(f.scenario, scenario)]
        told += [u.why for run in runs for u in run.unmeasured if matches(u.scenario, scenario)]
        told += ["its tag leaves it to a longer session" for name in session.after.left_out if matches(name, scenario)]
        if told:
            return told[0]
    return f"no session has the scenario {scenario}"
