"""Wiring of ``harness tune pool``, and how it is measured: callers who think, ask for a query of drawn length, wait."""

import http.client
import statistics
import time
from dataclasses import dataclass

from harness.configuration.load import Project
from harness.configuration.schema import TunePool
from harness.errors import ExitCode, HarnessError
from harness.measure.callers import at_once
from harness.measure.http import Client
from harness.measure.order import generator
from harness.measure.service import RunningService
from harness.measure.stack import ServiceStack
from harness.model import SIDES
from harness.tune.candidates import Candidate, Confirmed, picked, searched
from harness.tune.estimates import DRAWN, Series
from harness.tune.measuring import Plan, confirm, how
from harness.tune.pool_model import CONNECTIONS, OBJECTIVES, THROUGHPUT, WAIT, predict, sizes
from harness.tune.present import Tuning
from harness.tune.subject import count_of, fields_of, filled, said

_LONGEST = 2.5
"""Seconds of a query at most: ClickHouse refuses to sleep for more than 3."""
_MOST = 1000
"""Connections of a pool: to measure it, as many queries at once open them."""
_PLAIN = 10
"""Queries of no length before each trial: what one takes besides. Before them, one a connection opens all of them."""
_WARM = 1.0
"""Seconds before those that are measured: at first all callers think, and none is in line."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for; times are means in seconds."""

    callers: int
    service: float
    think: float
    seconds: float
    """How long a candidate is measured in each round."""


def tune(project: Project, asked: Asked, plan: Plan) -> Tuning:
    """Search, and measure the best. Raises HarnessError."""
    subject = said(project, "pool", project.system.tune.pool)
    if plan.confirm and asked.service > _LONGEST / 5:
        message = f"--service: at most {_LONGEST / 5:g} s can be measured, as a query may take {_LONGEST:g} s"
        raise HarnessError(f"{message}; --confirm 0 predicts alone", ExitCode.USAGE)

    def candidate(size: int, name: str = "") -> Candidate:
        return Candidate({subject.size: str(size)}, predict(asked.callers, size, asked.service, asked.think), name)

    current = [
        candidate(count_of(project, side, subject.service, subject.size, subject.default, most=_MOST), side)
        for side in SIDES
    ]
    search = searched(OBJECTIVES, [candidate(size) for size in sizes(asked.callers)], current)
    chosen = picked(search, max(plan.confirm, 3))
    notes = [
        f"{asked.callers} callers think for {asked.think:g} s, then have a query that takes {asked.service:g} s, both "
        "exponential with that mean; predicted as the closed queue M/M/s//N, exactly.",
    ]
    measured: tuple[Confirmed, ...] = ()
    if plan.confirm:
        shown = [*search.current, *chosen[: plan.confirm]]
        trial = PoolTrial(subject, [int(one.settings[subject.size]) for one in shown], asked, plan.seed)
        measured = confirm(project, subject.service, shown, OBJECTIVES, trial, plan)
        notes.append(
            f"Measured: {how(plan)} {asked.seconds:g} s in each round. The model beside it has the mean lengths that "
            "were drawn, plus what a query of no length takes itself. A wait is what a query took beyond both."
        )
    return Tuning("pool", subject.service, search, tuple(chosen), measured, notes=tuple(notes))


@dataclass(frozen=True, slots=True)
class _Done:
    """One query: all in seconds."""

    thought: float
    length: float
    latency: float


@dataclass(frozen=True)
class PoolTrial:
    """All callers for a while; every candidate meets the same drawn times."""

    subject: TunePool
    connections: list[int]
    asked: Asked
    seed: int

    def __call__(self, _: ServiceStack, running: RunningService, index: int, number: int) -> Series:
        """One value of each objective."""
        size, callers = self.connections[index], self.asked.callers
        opened = at_once(running, size, lambda client, i: self._query(client, 0.05, f"o{i}"))
        own = statistics.fmean(self._query(running, 0.0, f"p{i}") for i in range(_PLAIN))
        calls = at_once(running, callers, lambda client, i: self._caller(client, i, number))
        for error in (*(call.error for call in opened), *(call.error for call in calls)):
            if error is not None:
                raise error if isinstance(error, OSError | http.client.HTTPException) else _told(error)
        done = [query for call in calls for query in call.result or ()]
        if not done:
            raise HarnessError(f"no query was answered within {self.asked.seconds:g} s")
        length = statistics.fmean(query.length for query in done) + own
        thought = statistics.fmean(query.thought for query in done)
        drawn = predict(callers, size, length, thought)
        waited = statistics.fmean(query.latency - query.length for query in done) - own
        seen = {CONNECTIONS.name: size, WAIT.name: waited, THROUGHPUT.name: len(done) / self.asked.seconds}
        return {
            **{name: [value] for name, value in seen.items()},
            **{DRAWN + name: [value] for name, value in drawn.items()},
        }

    def _caller(self, client: Client, caller: int, number: int) -> list[_Done]:
        """The queries of one caller that were answered within the time that is measured."""
        draw = generator(self.seed, "caller", number, caller)
        begin = time.monotonic() + _WARM
        end = begin + self.asked.seconds
        done: list[_Done] = []
        asked = 0
        while True:
            thought = draw.expovariate(1 / self.asked.think)
            length = min(draw.expovariate(1 / self.asked.service), _LONGEST)
            if time.monotonic() + thought >= end:
                return done
            time.sleep(thought)
            asked += 1
            latency = self._query(client, length, f"{caller}.{asked}")
            now = time.monotonic()
            if now >= end:
                return done
            if now >= begin:
                done.append(_Done(thought, length, latency))

    def _query(self, client: Client, length: float, key: str) -> float:
        began = time.monotonic()
        body = filled(self.subject.body, seconds=f"{length:.6f}", key=key)
        answer = client.request("POST", self.subject.path, body)
        seconds = time.monotonic() - began
        fields_of(answer, self.subject.path)
        return seconds


def _told(error: Exception) -> HarnessError:
    return (
        error if isinstance(error, HarnessError) else HarnessError(f"a caller failed: {type(error).__name__}: {error}")
    )
