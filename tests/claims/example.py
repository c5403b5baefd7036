"""A small file of claims and two simulated sessions: every verdict, every kind of check, costs, two sessions."""

import tomllib
from dataclasses import replace
from pathlib import Path

from harness.claims.check import judge_claim
from harness.claims.file import ClaimsFile
from harness.claims.session import Session, session_of
from harness.judge.policy import Policy
from harness.model import Environment, Failure, Metric, Sample
from harness.report import claims_markdown, claims_terminal
from harness.report.claims import ClaimsView, build_view
from harness.report.escape import shorten
from tests.judge.build import noise, run, sample

FOLDER = Path(__file__).parent / "golden"
N = 16

WAITING = Metric("waiting", "s")
ANSWERED = Metric("answered", "1", better="higher", kind="count")
SHARE = Metric("answered", "1", better="higher", kind="rate")

TEXT = """
title = "What was promised"
source = "A report of last year."

[[claim]]
id = "delays"
where = "Executive Summary"
statement = "Retry delays reduced by ~40 %"
reading = "of every kind of failure"
checks = [
    { metric = "retry/once:waiting", change = "-40 %" },
    { metric = "retry/always:waiting", change = "-40 %" },
]
cost = ["retry/twice:answered", "retry/thrice:answered"]

[[claim]]
id = "faster"
where = "Executive Summary"
statement = "Faster recovery"
checks = [{ metric = "retry/once:waiting", direction = "lower" }]

[[claim]]
id = "errors"
where = "Impact"
statement = "11 errors before, none after"
checks = [{ metric = "errors/method:not_found", before = 11, after = 0 }]

[[claim]]
id = "answers"
where = "Impact"
statement = "As many answers as before"
checks = [
    { metric = "retry/random:answered", change = "+0 points", tolerance = "2 points" },
    { metric = "retry/random:answered", after = ">= 0.5" },
]

[[claim]]
id = "cost"
where = "Impact"
statement = "An analysis takes 1.5 s at most"
checks = [{ metric = "analytics/cost[*]:waiting", after = "<= 1.5" }]

[[claim]]
id = "grows"
where = "Impact"
statement = "It does not grow"
checks = [{ metric = "analytics/cost[2]:waiting", than = "analytics/cost[1]:waiting", direction = "unchanged" }]

[[claim]]
id = "pool"
where = "Next steps"
statement = "Dynamic pool sizing"
checks = [{ metric = "pool/size:throughput", direction = "higher" }]

[[claim]]
id = "standards"
where = "Next steps"
statement = "Aligns with standards"
why_not = "It names no standard."
"""


def claims_file() -> ClaimsFile:
    return ClaimsFile.model_validate(tomllib.loads(TEXT))


def times(factor: float, seed: int, scenario: str) -> Sample:
    return sample(WAITING, [factor * value for value in noise(seed, N)], scenario)


def sessions() -> list[Session]:
    """The main session, and a longer one that alone knows what analyses cost."""
    not_found = Metric("not_found", "1", kind="count")
    before = [
        times(1.2, 1, "retry/once"), times(3.6, 2, "retry/always"),
        sample(ANSWERED, [1] * N, "retry/twice"), sample(not_found, [11] * N, "errors/method"),
        sample(SHARE, [1.0] * 10 * N, "retry/random", 10),
    ]  # fmt: skip
    after = [
        times(0.72, 3, "retry/once"), times(0.6, 4, "retry/always"),
        sample(ANSWERED, [0] * N, "retry/twice"), sample(not_found, [0] * N, "errors/method"),
        sample(SHARE, ([1.0] * 39 + [0.0]) * (N // 4), "retry/random", 10),
    ]  # fmt: skip
    costs = [times(0.4, 5, "analytics/cost[1]"), times(0.8, 6, "analytics/cost[2]")]
    here = Environment(
        {"machine": "x86_64", "stack": "local"}, {"commit": "a1b2c3d", "load at start": "0.10 0.20 0.30"}
    )
    note = "Waits are shortened: TIME_SCALE = 0.01."
    main = [
        run("before", *before, environment=here, notes=(note,)),
        run("after", *after, environment=here, notes=(note,)),
    ]
    failure = Failure("pool/size", 0, "no free connection; password=canary-5f2e")
    full = [
        run(side, *samples, session="two", started="2026-01-02T00:00:00Z", environment=here, failures=(failure,))
        for side, samples in (("before", [times(0.4, 7, "analytics/cost[1]")]), ("after", costs))
    ]  # type: ignore[misc]
    return [session_of("A", *main, Policy()), session_of("B", *full, Policy())]


def view() -> ClaimsView:
    claims, measured = claims_file(), sessions()
    judged = [judge_claim(claim, measured) for claim in claims.claim]
    return build_view(claims, judged, measured, "harness claims check claims.toml --session one --session two")


def poisoned(text: str) -> ClaimsView:
    """A view in which ``text`` stands wherever text of others can stand."""
    shown, text = view(), shorten(text)
    rows = tuple(
        replace(
            row, statement=text, reading=text, costs=tuple(text for _ in row.costs), reason=row.reason and text,
            lines=tuple(replace(one, name=f"{text}:{text}", told=text, claimed=text) for one in row.lines),
        )
        for _, rows in shown.sections
        for row in rows
    )  # fmt: skip
    facts = tuple((label, tuple((name, text) for name, _ in found)) for label, found in shown.sessions)
    return replace(
        shown, title=text, source=text, sections=((text, rows),), sessions=facts, notes=(text,), command="harness x"
    )


GOLDEN = {
    "claims.md": lambda: claims_markdown.render(view()),
    "claims-60.txt": lambda: claims_terminal.render(view(), 60, color=False),
    "claims-120.txt": lambda: claims_terminal.render(view(), 120, color=False),
}

if __name__ == "__main__":  # python -m tests.claims.example; read the difference before committing
    for name, write in GOLDEN.items():
        (FOLDER / name).write_text(write(), encoding="utf-8")
