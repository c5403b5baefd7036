import pytest

from harness.configuration.schema import GatePolicy
from harness.errors import ExitCode, HarnessError
from harness.judge.policy import Policy
from harness.judgement import policy_from


@pytest.mark.parametrize("policy", [{"error_budget": 0.0}, {"error_budget": 1.0}, {"error_budget": float("nan")}])
def test_error_budget_is_a_probability(policy: dict[str, float]) -> None:
    with pytest.raises(HarnessError, match=r"error_budget .* between 0 and 1") as error:
        Policy(**policy)  # type: ignore[arg-type]
    assert error.value.code is ExitCode.USAGE


@pytest.mark.parametrize("factor", [0.5, float("nan"), float("inf")])
def test_between_sessions_is_a_factor(factor: float) -> None:
    with pytest.raises(HarnessError, match=r"between_sessions .* at least 1"):
        Policy(between_sessions=factor)


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [("retry:*", True), ("*", True), ("load:*", False), ("retry:wait[p95]", True), ("RETRY:*", False)],
)
def test_patterns_of_what_may_be_missing(pattern: str, *, allowed: bool) -> None:
    assert Policy(allow_missing=(pattern,)).may_be_missing("retry", "wait[p95]") is allowed


def test_without_a_project_the_rules_are_those_of_an_empty_one() -> None:
    assert policy_from(GatePolicy()) == Policy()
