"""Wiring of ``harness tune cache``, and how it is measured: requests at drawn moments, for drawn keys."""

import time
from dataclasses import dataclass, replace

from harness.configuration.load import Project
from harness.configuration.schema import TuneCache
from harness.errors import ExitCode, HarnessError
from harness.measure.order import generator
from harness.measure.service import RunningService
from harness.measure.stack import ServiceStack
from harness.model import SIDES
from harness.tune.cache_model import AGE, HITS, OBJECTIVES, TTLS, Access, predict, replay
from harness.tune.candidates import Candidate, Confirmed, picked, searched
from harness.tune.estimates import DRAWN, Series
from harness.tune.measuring import Plan, confirm, how
from harness.tune.present import Tuning
from harness.tune.subject import fields_of, filled, number_of, said, written

_LATE = 0.5
"""Seconds by which the last answer may be late in any case."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    access: Access
    seconds: float
    """How long a candidate is measured in each round, not shortened."""
    scale: float
    """Of the times to live and between requests while measuring."""


def tune(project: Project, asked: Asked, plan: Plan) -> Tuning:
    """Search, and measure the best. Raises HarnessError."""
    subject = said(project, "cache", project.system.tune.cache)

    def candidate(ttl: float, name: str = "") -> Candidate:
        return Candidate({subject.ttl: written(ttl)}, predict(asked.access, ttl), name)

    current = [
        candidate(number_of(project, side, subject.service, subject.ttl, subject.default), side) for side in SIDES
    ]
    search = searched(OBJECTIVES, [candidate(ttl) for ttl in TTLS], current)
    chosen = picked(search, max(plan.confirm, 3))
    access = asked.access
    notes = [
        f"{access.keys} keys are asked for at random, {access.rate:g} times a second in all, with shares that fall as "
        f"1 / rank^{access.skew:g}; predicted for the long run, for a cache with room for all.",
    ]
    measured: tuple[Confirmed, ...] = ()
    if plan.confirm:
        shown = [*search.current, *chosen[: plan.confirm]]
        ttls = [float(one.settings[subject.ttl]) for one in shown]
        shortened = [Candidate({subject.ttl: written(ttl * asked.scale)}, {}) for ttl in ttls]
        trial = CacheTrial(subject, ttls, asked, plan.seed)
        found = confirm(project, subject.service, shortened, OBJECTIVES, trial, plan)
        measured = tuple(replace(was, candidate=one) for was, one in zip(found, shown, strict=True))
        notes.append(
            f"Measured with times to live × {asked.scale:g} and requests as much faster, shown in real time. "
            f"{how(plan)} {asked.seconds:g} s in each round, from an empty cache on; the model beside it is of just "
            "those requests."
        )
    return Tuning("cache", subject.service, search, tuple(chosen), measured, notes=tuple(notes))


@dataclass(frozen=True)
class CacheTrial:
    """The same requests to each candidate, one after the other."""

    subject: TuneCache
    ttls: list[float]
    asked: Asked
    seed: int

    def __call__(self, _: ServiceStack, running: RunningService, index: int, number: int) -> Series:
        """A value of each request; ages in seconds that are not shortened."""
        requests = self.asked.access.drawn(self.asked.seconds, generator(self.seed, "requests", number))
        if not requests:
            raise HarnessError(f"no request was drawn for {self.asked.seconds:g} s: more --seconds", ExitCode.USAGE)
        running.request("POST", self.subject.path, filled(self.subject.body, key=-1))  # opens a connection
        start, scale = time.monotonic(), self.asked.scale
        kept: dict[int, float] = {}
        hits, ages = [], []
        for moment, key in requests:
            time.sleep(max(0.0, start + moment * scale - time.monotonic()))
            answer = running.request("POST", self.subject.path, filled(self.subject.body, key=key))
            now = time.monotonic()
            hit = fields_of(answer, self.subject.path).get(self.subject.hit) is True
            if not hit:
                kept[key] = now
            hits.append(float(hit))
            ages.append((now - kept.get(key, now)) / scale)
        late, length = time.monotonic() - start - requests[-1][0] * scale, self.asked.seconds * scale
        if late > max(_LATE, length * 0.05):
            raise HarnessError(
                f"invalid: {self.subject.path} could not be asked as often as was drawn, the last request was "
                f"{late:.1f} s late after {length:.1f} s: take a larger --scale, or a smaller --rate"
            )
        said_hits, said_ages = zip(*replay(requests, self.ttls[index]), strict=True)
        return {
            AGE.name: ages,
            HITS.name: hits,
            DRAWN + AGE.name: said_ages,
            DRAWN + HITS.name: [float(hit) for hit in said_hits],
        }
