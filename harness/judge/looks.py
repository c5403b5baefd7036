"""Which look of its session a scenario has reached, which rounds count there, and what level is left for it."""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from harness.errors import ExitCode, HarnessError
from harness.judge.obstacles import same_session
from harness.model import Run, Sample
from harness.statistics.sequential import boundaries, nominal_level

MOST_LOOKS = 100


@dataclass(frozen=True, slots=True)
class Look:
    """How far a scenario has come."""

    planned: tuple[int, ...]
    """The numbers of rounds at which it was to be looked; empty: once, at whatever there is."""
    number: int
    """Position in ``planned`` of the look that was reached."""
    rounds: tuple[int, ...]
    """All rounds that the scenario has, ascending."""

    @property
    def left_out(self) -> int:
        """How many rounds came after the look, and do not count: who stops when it suits finds what he looks for."""
        return max(0, len(self.rounds) - self.planned[self.number]) if self.planned else 0

    @property
    def later(self) -> tuple[int, ...]:
        """The looks that were to follow."""
        return self.planned[self.number + 1 :]

    @property
    def name(self) -> str:
        """``look 2 of 4``; empty when there is only one."""
        return f"look {self.number + 1} of {len(self.planned)}" if len(self.planned) > 1 else ""

    def level(self, alpha: float) -> float:
        """The two-sided level of this look, when all of them share ``alpha``."""
        return nominal_level(boundaries(self.planned, alpha)[self.number]) if len(self.planned) > 1 else alpha

    def counting(self, sample: Sample) -> Sample:
        """``sample`` without the rounds that do not count."""
        if not self.left_out:
            return sample
        late = set(self.rounds[self.planned[self.number] :])
        rows = zip(sample.values, sample.rounds, sample.pairs, strict=True)
        kept = [row for row in rows if row[1] not in late]
        return replace(
            sample,
            values=tuple(value for value, _, _ in kept),
            rounds=tuple(number for _, number, _ in kept),
            pairs=tuple(pair for _, _, pair in kept),
        )


def planned_looks(runs: tuple[Run, Run]) -> tuple[int, ...]:
    """The looks of the session that both runs are of; none when they are of two, as nobody planned those together.

    Raises HarnessError (15) when they are no plan.
    """
    before, after = runs
    if not same_session(before, after):
        return ()
    looks = after.looks
    if before.looks != looks:
        raise HarnessError("before and after are of one session, but plan different looks", ExitCode.INTEGRITY)
    if len(looks) > MOST_LOOKS or any(later <= earlier for earlier, later in pairwise((0, *looks))):
        allowed = f"at most {MOST_LOOKS} numbers, each positive and larger than the one before"
        raise HarnessError(f"looks: found {str(looks)[:80]}; allowed are {allowed}", ExitCode.INTEGRITY)
    return looks


def looks_of(scenario: str, runs: tuple[Run, Run]) -> tuple[int, ...]:
    """The planned looks of one scenario: those of the session, or one, where it has its own number of rounds."""
    looks = planned_looks(runs)
    own = runs[1].own_rounds.get(scenario) if looks else None
    if own is not None and own < 1:
        raise HarnessError(f"own_rounds: found {own}; allowed are numbers of at least 1", ExitCode.INTEGRITY)
    return looks if own is None else (own,)


def reached(scenario: str, runs: tuple[Run, Run], at: int | None = None) -> Look:
    """The last planned look for which ``scenario`` has the rounds; the first one, while it has fewer.

    ``at``: as it was after so many rounds.
    """
    planned, rounds = looks_of(scenario, runs), _rounds(scenario, runs)
    have = len(rounds) if at is None else min(at, len(rounds))
    return Look(planned, max(0, sum(look <= have for look in planned) - 1), rounds)


def _rounds(scenario: str, runs: tuple[Run, Run]) -> tuple[int, ...]:
    """The rounds in which it was measured on both sides or failed: none of them was chosen by its outcome."""
    before, after = (_measured(scenario, run) for run in runs)
    dropped = {dropped.round for run in runs for dropped in run.dropped}
    failed = {failure.round for run in runs for failure in run.failures if failure.scenario == scenario}
    return tuple(sorted((before & after) | (failed - dropped)))


def _measured(scenario: str, run: Run) -> set[int]:
    rounds: set[int] = set()
    return rounds.union(*(_distinct(sample.rounds) for sample in run.samples if sample.scenario == scenario))


@lru_cache(maxsize=8)
def _distinct(rounds: tuple[int, ...]) -> frozenset[int]:
    """Samples of a session have the same rounds."""
    return frozenset(rounds)
