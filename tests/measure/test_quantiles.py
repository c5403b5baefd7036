from pathlib import Path

import pytest

from harness.files.journal import Journal, read_journal
from harness.files.records import MetricDefined
from harness.measure.recorder import Recorder
from harness.model import Metric


@pytest.mark.parametrize(
    "metric",
    [Metric("p95", "s", quantile=95), Metric("p0", "s", quantile=0.0), Metric("p95", "1", kind="count", quantile=0.95)],
)
def test_a_quantile_that_is_none_is_refused_before_anything_is_measured_with_it(tmp_path: Path, metric: Metric) -> None:
    written = []
    with Journal.create(tmp_path / "journal.jsonl") as journal:
        recorder = Recorder(journal, {})
        with pytest.raises(ValueError, match=r"^s: p\d+: quantile .* is not between 0 and 1 of a noisy metric$"):
            written.append(recorder.value("before", "s", metric, round=0, pair=0, value=1.0))
    assert written == []
    assert (tmp_path / "journal.jsonl").read_bytes() == b""


def test_a_metric_keeps_its_quantile_on_the_way_to_the_journal(tmp_path: Path) -> None:
    metric = Metric("p95", "s", quantile=0.95)
    with Journal.create(tmp_path / "journal.jsonl") as journal:
        Recorder(journal, {}).value("before", "s", metric, round=0, pair=0, value=1.0)
    (defined,) = read_journal(tmp_path / "journal.jsonl").records
    assert defined == MetricDefined("s", metric)
