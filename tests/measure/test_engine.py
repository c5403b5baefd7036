from pathlib import Path

import pytest

from harness.files.assemble import runs_from
from harness.files.journal import JournalContents
from harness.files.records import EngineTold, SessionStart
from harness.measure.engine import describe
from harness.measure.environment import environment
from harness.model import Environment, Variant


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"engine": "chdb-http", "version": "26.9.1"}\n', "chdb-http 26.9.1"),
        (b"26.9.1.1\n", "26.9.1.1"),
        (b'{"engine": "x", "more": {"deep": 1}, "list": [1]}', "x"),
        (b"a\x1b[2J\nb\xff", "a [2J b\N{REPLACEMENT CHARACTER}"),
        (b"[" * 100_000, "[" * 80),
        (b"", ""),
    ],
)
def test_an_engine_is_one_short_line(body: bytes, told: str) -> None:
    assert describe(body) == told


def test_what_services_say_that_they_run_on_has_to_agree_between_sessions() -> None:
    variants = Variant("before", "a"), Variant("after", "b")
    here = Environment({"cores": "2"})
    start = SessionStart("s", "2026-01-01T00:00:00Z", 1, variants, here, (), {}, "x")
    told = EngineTold("after", "clickhouse", "chdb-http 26.9")
    before, after = runs_from(JournalContents((start, told), ()))
    assert before.environment.stable == {"cores": "2"}
    assert after.environment.stable == {"cores": "2", "engine of clickhouse": "chdb-http 26.9"}


def test_the_environment_says_what_has_to_agree_and_what_may_differ(tmp_path: Path) -> None:
    found = environment(tmp_path, "local")
    assert found.stable.keys() == {"stack", "system", "machine", "processor", "cores", "memory", "python"}
    assert found.volatile.keys() >= {"kernel", "governor", "load at start", "commit", "harness"}
