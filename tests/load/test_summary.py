"""What a load showed, against cases computed by hand."""

import pytest

from harness.errors import HarnessError
from harness.load.plan import Plan, constant, spike
from harness.load.records import Outcome, Record, WorkerEnd, from_lines, to_line
from harness.load.recovery import back_after
from harness.load.summary import Quantile, summarize

TEN = Plan(constant(10, 1))


def record(
    number: int, latency: float, outcome: Outcome = "answered", *, lag: float = 0.0, segment: str = "constant"
) -> Record:
    """A start at a tenth of a second each."""
    at = number / 10
    error = "status 500" if outcome == "failed" else ""
    return Record(number, "x", segment, 0, at, at + lag, at + latency, outcome, error=error)


def test_latency_counts_from_the_intended_start() -> None:
    (only,) = summarize(Plan(constant(1, 1)), [Record(0, "x", "constant", 0, 1.0, 1.5, 2.0, "answered")]).answered
    assert only == 1.0


def test_quantiles_are_values_by_nearest_rank() -> None:
    found = summarize(TEN, [record(number, (number + 1) / 100) for number in range(10)])
    values = [found.quantile(q) for q in (0.0, 0.05, 0.1, 0.11, 0.5, 0.9, 0.91, 1.0)]
    assert [value.seconds for value in values] == pytest.approx([0.01, 0.01, 0.01, 0.02, 0.05, 0.09, 0.1, 0.1])
    assert not any(value.at_least for value in values)


def test_what_is_in_flight_at_the_end_counts_with_its_age() -> None:
    # six good ones of 10 ms, four unanswered of 1.0 … 1.3 s: the median is known, everything above 0.6 is a bound
    records = [record(number, 0.01) for number in range(6)]
    records += [record(number, 1.0 + number / 10 - 0.6, "unanswered") for number in range(6, 10)]
    found = summarize(TEN, records)
    assert found.quantile(0.5) == Quantile(pytest.approx(0.01), at_least=False)
    assert found.quantile(0.7) == Quantile(pytest.approx(1.0), at_least=True)
    assert found.quantile(1.0) == Quantile(pytest.approx(1.3), at_least=True)
    assert len(found.unanswered) == 4


def test_a_young_unanswered_one_makes_every_quantile_above_its_age_a_bound() -> None:
    found = summarize(TEN, [*(record(number, 0.2) for number in range(9)), record(9, 0.05, "unanswered")])
    assert found.quantile(0.1) == Quantile(pytest.approx(0.05), at_least=True)
    assert found.quantile(0.5) == Quantile(pytest.approx(0.2), at_least=True)


def test_failures_stand_apart_and_are_in_no_latency() -> None:
    records = [record(number, 0.001, "failed") for number in range(4)]
    records += [record(number, 0.5) for number in range(4, 10)]
    found = summarize(TEN, records)
    assert found.failed == 4
    assert found.failures == {"status 500": 4}
    assert found.quantile(0.0).seconds == pytest.approx(0.5)
    found.check()


def test_nothing_but_failures_is_no_result() -> None:
    found = summarize(TEN, [record(number, 0.001, "failed") for number in range(10)])
    with pytest.raises(HarnessError, match="no request of 10 got a good answer: 10 x status 500"):
        found.check()


def test_throughput_counts_good_answers_until_the_last_of_them() -> None:
    assert summarize(TEN, [record(number, 0.01) for number in range(10)]).throughput == 10
    late = [record(number, 0.01) for number in range(9)] + [record(9, 1.1)]
    assert summarize(TEN, late).throughput == pytest.approx(10 / 2)


def test_starts_that_come_late_or_never_make_a_result_invalid() -> None:
    records = [record(number, 0.5, lag=0.4 if number == 3 else 0.0) for number in range(9)]
    found = summarize(TEN, records)
    assert (found.late, found.planned, found.shortfall) == (2, 10, 0.2)
    assert found.worst_lag == pytest.approx(0.4)
    with pytest.raises(HarnessError, match=r"invalid: .* 2 of 10 starts came too late or never \(20.0%, allowed 19.0%"):
        found.check(0.19)
    found.check(0.2)
    assert summarize(TEN, records, late=0.5).late == 1  # the one that never came


def test_a_load_without_a_single_record_is_invalid() -> None:
    with pytest.raises(HarnessError, match="10 of 10 starts"):
        summarize(TEN, []).check()
    with pytest.raises(HarnessError, match="no request of 10"):
        summarize(TEN, []).check(1.0)


def test_starts_that_a_stuck_service_kept_from_being_made_are_told_apart() -> None:
    records = [record(number, 5.0, "unanswered", lag=0.4) for number in range(4)]
    with pytest.raises(HarnessError, match=r"10 of 10 starts .* late; 4 were unanswered at the end"):
        summarize(TEN, records).check()


def test_a_limit_is_kept_only_when_that_is_known() -> None:
    good = [record(number, 0.1) for number in range(10)]
    assert summarize(TEN, good).keeps(0.95, 0.101)
    assert not summarize(TEN, good).keeps(0.95, 0.09)
    assert not summarize(TEN, [*good[1:], record(0, 0.001, "failed")]).keeps(0.95, 0.101)
    assert not summarize(TEN, [*good[1:], record(0, 0.05, "unanswered")]).keeps(0.95, 0.101), "may be slower yet"
    assert not summarize(TEN, []).keeps(0.95, 0.101)


def test_a_segment_is_summed_up_alone() -> None:
    plan = Plan(spike(10, 10, before=0.5, seconds=0.2, after=0.3))
    names = ["before"] * 5 + ["spike"] * 2 + ["after"] * 3
    records = [record(number, 0.3 if name == "spike" else 0.1, segment=name) for number, name in enumerate(names)]
    found = summarize(plan, records, "spike")
    assert found.planned == 2
    assert found.quantile(0.5).seconds == pytest.approx(0.3)
    assert found.throughput == pytest.approx(2 / 0.4)  # the second one ends 0.4 s after the spike's beginning


def slowness(*latencies: float, outcome: Outcome = "answered") -> list[Record]:
    return [record(number, latency, outcome) for number, latency in enumerate(latencies)]


def test_latency_is_back_when_ten_in_a_row_have_a_usual_median_to_the_end() -> None:
    # starts 10 … 29 are slow: from start 25 on no ten in a row have more than five slow ones
    records = slowness(*[0.1] * 10, *[0.9] * 20, *[0.1] * 20)
    assert back_after(records, 1.0, 0.2) == Quantile(pytest.approx(2.5 - 1.0), at_least=False)


def test_a_single_slow_one_is_no_spike() -> None:
    assert back_after(slowness(*[0.1] * 10, 0.9, *[0.1] * 20), 1.0, 0.2) == Quantile(0.0, at_least=False)


def test_failures_are_slow_whatever_they_took() -> None:
    records = slowness(*[0.01] * 30, outcome="failed")
    found = back_after(records, 1.0, 0.2)
    assert found.at_least
    assert found.seconds == pytest.approx(2.9 + 0.01 - 1.0)


def test_too_few_requests_do_not_tell_when_latency_is_back() -> None:
    with pytest.raises(HarnessError, match="9 requests after the spike began: too few"):
        back_after(slowness(*[0.9] * 9), 0.0, 0.2)


def test_lines_are_read_as_they_were_written() -> None:
    written = [record(0, 0.1), record(1, 0.2, "failed"), record(2, 0.3, "unanswered")]
    end = WorkerEnd(0, 0.5, complete=True)
    assert from_lines(map(to_line, [*written, end])) == (written, [end])
    for odd in ("{", "[]", '{"number": 1}', "12"):
        with pytest.raises(HarnessError, match="not a record"):
            from_lines([odd])
