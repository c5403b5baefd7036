"""A small session: every kind of record, and the runs it makes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from harness.files.records import (
    End,
    Failed,
    MetricDefined,
    Predicted,
    Record,
    RoundDone,
    SessionStart,
    Traced,
    Value,
)
from harness.model import (
    SIDES,
    Environment,
    Failure,
    Mark,
    Metric,
    Prediction,
    Run,
    Sample,
    Trace,
    Variant,
)

ROOT = Path(__file__).parents[2]
READY = Metric("ready", "s", about="until the first good answer")
ATTEMPTS = Metric("attempts", "1", kind="count")
Writer = Callable[..., AbstractContextManager["subprocess.Popen[bytes]"]]


@pytest.fixture
def records() -> tuple[Record, ...]:
    variants = (
        Variant("before", "main", {"backend": {"DELAY": "30"}}),
        Variant("after", "pr", {"backend": {"DELAY": "60"}}),
    )
    start = SessionStart(
        session="s-1",
        started="2026-01-31T12:00:00+00:00",
        seed=2**63,
        variants=variants,
        environment=Environment({"machine": "x86_64"}, {"commit": "0939a3"}),
        notes=("waits are scaled by 0.1",),
        plan={"startup/cold": 2},
        identity="sha256:0",
    )
    measured = [
        Value(side, "startup/cold", metric.name, number, 0, value + number)
        for number in range(2)
        for side, offset in zip(SIDES, (0.0, 1.0), strict=True)
        for metric, value in ((READY, 0.1 + offset), (ATTEMPTS, 3.0 + offset))
    ]
    return (
        start,
        MetricDefined("startup/cold", READY),
        MetricDefined("startup/cold", ATTEMPTS),
        Predicted("after", Prediction("startup/cold", "attempts", 4.0, 5.0, "by arithmetic")),
        *measured[:4],
        RoundDone(0),
        Traced("before", Trace("startup/cold", "startup", 1, (Mark("exec", 0.01), Mark("ready", 0.1)))),
        Failed("after", Failure("retry/fails", 1, "answer was <b>\x1b[2J\udc80 wrong\n")),
        *measured[4:],
        RoundDone(1),
        End("complete"),
    )


@pytest.fixture
def run() -> Run:
    return Run(
        session="s-1",
        variant=Variant("before", "main", {"backend": {"DELAY": "30", "NAME": "ü \udc80 </script>"}}),
        started="2026-01-31T12:00:00+00:00",
        seed=7,
        rounds=3,
        state="complete",
        samples=(
            Sample("startup/cold", READY, (0.3, 0.1, 0.2), (0, 1, 2), (0, 0, 0)),
            Sample("startup/cold", ATTEMPTS, (3.0, 3.0, 4.0), (0, 1, 2), (0, 0, 0)),
            Sample("cache", Metric("hit", "1", better="higher", kind="rate"), (1.0, 0.0), (0, 1), (0, 0)),
        ),
        predictions=(Prediction("startup/cold", "attempts", 3.0, 4.0, "by arithmetic"),),
        traces=(Trace("startup/cold", "startup", 0, (Mark("exec", 0.01), Mark("ready", 0.3))),),
        environment=Environment({"machine": "x86_64", "cpu": "EPYC"}, {"commit": "0939a3"}),
        notes=("waits are scaled by 0.1",),
    )


@pytest.fixture
def writer() -> Writer:
    """Start Python code in a process of its own that cannot outlive the test; its stdout is a pipe."""

    @contextmanager
    def start(code: str, *arguments: object) -> "Iterator[subprocess.Popen[bytes]]":
        command = [sys.executable, "-c", code, *map(str, arguments)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT) as process:
            try:
                yield process
            finally:
                process.kill()

    return start
