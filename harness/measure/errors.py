"""Errors by kind: what each variant's services log at level error and above, and which error answers scenarios get.

They are counted in every round that is measured, and recorded as counts of the pseudo-scenario ``errors/SERVICE``: one
metric for each kind, and ``total``. A kind is told of every round in which the services were listened to, with 0 where
it did not occur: also of those before it was first met, and of the variant that never showed it.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from harness.files.records import Record, RoundDone, RoundDropped, Value
from harness.kinds import ErrorLines, kind_of, told_by
from harness.measure.http import Response
from harness.measure.recorder import Recorder
from harness.model import ERRORS, SIDES, Metric, Side
from harness.output import quoted

TOTAL = "total"
OTHER = "other kinds"
AT_SHUTDOWN = "at shutdown: "
MAX_KINDS = 50
"""Of one service in one session. What comes after them is counted together."""
_HELD = 200
"""Kinds of one round, before those of the session are known."""
_ANSWERS = 500
"""Error answers that wait for somebody to look at them."""
_READ = 32_768
"""Bytes of an error answer that are kept until then: more than is looked at."""


class ErrorCounts:
    """The errors of one service of one variant since they were last taken. Told by several threads."""

    def __init__(self, pattern: str, *, always: bool = False) -> None:
        """``pattern`` recognises an error line, empty: none is; ``always``: the total is recorded although there is no
        error."""
        self.always = always
        self._pattern = re.compile(pattern or r"(?!)")
        self._counts: Counter[str] = Counter()
        self._answers: list[Response] = []
        self._lock = threading.Lock()

    def listener(self) -> Callable[[str, bool], None]:
        """For the output of one process: takes its lines, and whether it was being stopped when it said them."""
        lines = ErrorLines(self._pattern)

        def heard(line: str, stopping: bool) -> None:  # noqa: FBT001
            message = lines.message(line)
            if message is not None:
                self._count((AT_SHUTDOWN if stopping else "") + message)

        return heard

    def answered(self, answer: Response) -> None:
        """Count an error answer. Called in the middle of what scenarios time: what kind it is, is looked at later."""
        with self._lock:
            self._answers.append(Response(answer.status, {}, answer.body[:_READ]))
            full = len(self._answers) >= _ANSWERS
        if full:
            self._look_at_answers()

    def _look_at_answers(self) -> None:
        with self._lock:
            answers, self._answers = self._answers, []
        for answer in answers:
            self._count(f"status {answer.status}: {told_by(answer.text)}", keep=f"status {answer.status}")

    def _count(self, message: str, keep: str = "") -> None:
        text = quoted(message)
        kind = keep + kind_of(text.removeprefix(keep)) if keep else kind_of(text)
        if kind in (TOTAL, OTHER):
            kind = f'"{kind}"'
        with self._lock:
            self._counts[kind if kind in self._counts or len(self._counts) < _HELD else OTHER] += 1

    def take(self) -> Counter[str]:
        """The counts so far; they start anew."""
        self._look_at_answers()
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts


@dataclass(slots=True)
class ErrorWatch:
    """Records at the end of every round what was counted in it."""

    counts: Mapping[Side, Mapping[str, ErrorCounts]]
    """Side -> service -> its counts."""
    _known: dict[str, dict[str, None]] = field(default_factory=dict)
    """Service -> the kinds met in this session, on either side."""
    _rounds: list[int] = field(default_factory=list)
    """In which the services were listened to."""

    def go_on(self, records: Iterable[Record], recorder: Recorder) -> None:
        """Go on with a session that was cut short: learn from its journal the kinds and rounds, write the zeros that
        it could not write any more. Of a kind that is told of the last round they were written: what is missing of it
        was damaged, and nobody knows what it was."""
        known = list(records)
        self._rounds = [record.round for record in known if isinstance(record, RoundDone | RoundDropped)]
        names = {ERRORS + service: service for service in self.counts["before"]}
        values = [record for record in known if isinstance(record, Value) and record.scenario in names]
        for value in values:
            self._known.setdefault(names[value.scenario], {})[value.metric] = None
        written = {(names[value.scenario], value.metric, value.round, value.side) for value in values}
        last = max(self._rounds, default=-1)
        kinds = [
            (service, kind)
            for service, kinds in self._known.items()
            for kind in kinds
            if any((service, kind, last, side) not in written for side in SIDES)
        ]
        for (service, kind), number, side in product(kinds, self._rounds, SIDES):
            if (service, kind, number, side) not in written:
                _record(recorder, service, kind, number, {side: 0})

    def forget(self) -> None:
        """What happened so far belongs to no round."""
        for counts in self.counts.values():
            for service in counts.values():
                service.take()

    def end_round(self, number: int, recorder: Recorder) -> None:
        """Record the errors of a round whose services have been stopped."""
        for service in self.counts["before"]:
            self._end_round(service, number, recorder)
        self._rounds.append(number)

    def _end_round(self, service: str, number: int, recorder: Recorder) -> None:
        counted = {side: self.counts[side][service].take() for side in SIDES}
        always = any(self.counts[side][service].always for side in SIDES)
        kinds = dict.fromkeys(kind for side in SIDES for kind in sorted(counted[side]))
        if not (kinds or always or service in self._known):
            return
        known = self._known.setdefault(service, {})
        new = [kind for kind in (TOTAL, *kinds) if kind not in known][: max(0, MAX_KINDS + 1 - len(known))]
        if any(kind not in known and kind not in new for kind in kinds) and OTHER not in known:
            new.append(OTHER)
        for kind in new:
            for earlier in self._rounds:
                _record(recorder, service, kind, earlier, dict.fromkeys(SIDES, 0))
            known[kind] = None
        for kind in known:
            _record(recorder, service, kind, number, {side: _of(kind, counted[side], known) for side in SIDES})


def _of(kind: str, counted: Counter[str], known: Mapping[str, None]) -> int:
    if kind == TOTAL:
        return counted.total()
    if kind == OTHER:
        return sum(n for name, n in counted.items() if name == OTHER or name not in known)
    return counted[kind]


def _record(recorder: Recorder, service: str, kind: str, number: int, counts: Mapping[Side, int]) -> None:
    metric = Metric(kind, "1", kind="count", gated=False, about=_about(kind))
    for side, count in counts.items():
        value = recorder.value(side, ERRORS + service, metric, round=number, pair=0, value=count)
        recorder.write(value)


def _about(kind: str) -> str:
    if kind == TOTAL:
        return "Error lines that the service logged in a round, and error answers that scenarios got from it."
    if kind.startswith("status "):
        return "Error answers of this kind that scenarios got in a round."
    return "Error lines of this kind that the service logged in a round."
