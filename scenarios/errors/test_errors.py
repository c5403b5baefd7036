"""Errors: what callers of the backend are refused, and how often.

The seed report counted 11 performance issues, each a call of a method that does not exist. Here agents make as many
calls through the path that the product uses. Beside it the harness counts by itself, for the whole round and every
scenario in it, what each service logged as an error and answered with one: `errors/backend`, one metric a kind.
"""

from collections import Counter

import pytest

from harness.kinds import told_by
from harness.measure.turn import Turn
from harness.model import Metric

CALLS = 11
"""Occurrences in the seed report."""
NOT_FOUND = Metric("method_not_found", "1", kind="count", about=f"Of {CALLS} calls: answers that there is no method.")
OTHER = Metric("other_errors", "1", kind="count", about=f"Of {CALLS} calls: any other error answer.")
ANSWERED = Metric("answered", "1", better="higher", kind="count", about=f"Of {CALLS} calls: got an analysis.")
LOGGED = Metric("logged", "1", kind="count", about="Error lines that the backend logged meanwhile, as it counts them.")


@pytest.mark.scenario
def test_agents(turn: Turn) -> None:
    """Eleven analyses asked for by agents: how many are answered, how many find no method?"""
    backend = turn.service("backend")
    before = counted(turn)
    answers = [backend.get(f"/api/analytics/performance?run_id=agent-{agent}") for agent in range(CALLS)]
    after = counted(turn)

    refused = Counter(told_by(answer.text) for answer in answers if answer.status >= 400)
    missing = sum(n for message, n in refused.items() if message.startswith("method not found"))
    turn.record(NOT_FOUND, missing)
    turn.record(OTHER, refused.total() - missing)
    turn.record(ANSWERED, sum(answer.status == 200 and "total_queries" in answer.json() for answer in answers))
    turn.record(LOGGED, (after["log_lines"] - before["log_lines"]).total())
    # What the backend says that it refused is what its callers met.
    assert after["answers"] - before["answers"] == refused, (before, after, refused)


def counted(turn: Turn) -> dict[str, Counter[str]]:
    """What the backend has counted since it started, by kind."""
    answer = turn.service("backend").get("/api/errors")
    assert answer.status == 200, answer.text
    return {where: Counter(kinds) for where, kinds in answer.json().items()}
