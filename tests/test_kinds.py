"""Which lines are errors, and which of them are of one kind."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.kinds import COMMON, LONGEST, ErrorLines, kind_of, told_by


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Retrying in 1.14s (attempt 2/3)", "Retrying in <n>s (attempt <n>)"),
        ("run 6f1c2d34-0a1b-4c5d-8e9f-001122334455 is gone", "run <id> is gone"),
        ("task 6F1C2D34-0A1B-4C5D-8E9F-001122334455", "task <id>"),
        ("at 0x7f3a2b10, digest 9f86d081884c7d65", "at <hex>, digest <hex>"),
        ("feedface", "feedface"),
        ("cannot open '/tmp/harness-ab/x.log'", "cannot open <path>"),
        ('no file "./a b/c.toml" here', "no file <path> here"),
        ("connect to 127.0.0.1:8123 refused", "connect to <address> refused"),
        ("GET http://[::1]:80/x?y=1 failed", "GET <address> failed"),
        ("GET /health/ready failed", "GET /health/ready failed"),
        ("2026-11-24T15:47:33.123 late", "<n> late"),
        ("1,234,567 rows", "<n> rows"),
        ("line\none\ttwo  three", "line one two three"),
        ("\x1b[31mred", r"\x<n>b[<n>mred"),
        ("", "(no text)"),
    ],
)
def test_what_differs_each_time_is_left_out(text: str, kind: str) -> None:
    assert kind_of(text) == kind


@given(st.text(max_size=400) | st.text("0123456789abcdef.:-/x'\" T<>", max_size=400))
def test_a_kind_is_one_printable_line_and_stays_as_it_is(text: str) -> None:
    kind = kind_of(text)
    assert kind.isprintable()
    assert 0 < len(kind) <= LONGEST
    assert kind_of(kind) == kind


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.uuids(), st.uuids())
def test_two_cases_are_one_kind(one: int, other: int, first: object, second: object) -> None:
    assert kind_of(f"query {first} took {one} ms") == kind_of(f"query {second} took {other} ms")


def found(*lines: str, pattern: str = COMMON) -> list[str]:
    errors = ErrorLines(re.compile(pattern))
    return [message for line in lines if (message := errors.message(line)) is not None]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2026-11-24T15:47:33.123 | ERROR | backend.api | no such method", "backend.api | no such method"),
        ("ERROR:    Exception in ASGI application", "Exception in ASGI application"),
        ("ERROR:root:no such method", "root:no such method"),
        ("CRITICAL root gone", "root gone"),
        ("2026-11-24 15:47:33,123 - my.module - ERROR - no such method", "no such method"),
        ("2026-11-24 15:47:33,123 ERROR [pool] empty", "[pool] empty"),
        ("15:47:33.123 [main-1] ERROR c.e.App - empty", "c.e.App - empty"),
        ("2026/11/24 15:47:33 [error] 12#0: upstream gone", "12#0: upstream gone"),
        ("2026-11-24 [error    ] no such method  run=7", "no such method  run=7"),
        ("time=2026-11-24T15:47:33Z level=error msg=gone", "msg=gone"),
        ('{"level":"error","msg":"gone","n":1}', "gone"),
        ('{"time": 1, "level": 50, "msg": "gone"}', "gone"),
        ('{"severity": "CRITICAL", "message": "gone"}', "gone"),
        ("2026.11.24 15:47:33.1 [ 7 ] {} <Error> TCPHandler: Code: 60", "TCPHandler: Code: 60"),
        ("E1124 15:47:33.123456 7 file.cc:12] gone", ".123456 7 file.cc:12] gone"),
    ],
)
def test_lines_of_common_formats_are_errors(line: str, message: str) -> None:
    assert found(line) == [message]


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-24T15:47:33.123 | INFO | backend.api | 3 ERROR lines seen",
        "2026-11-24T15:47:33.123 | WARNING | backend | LLM operation failed (attempt 1/3): error. Retrying",
        "INFO:     127.0.0.1 - GET /errors 200",
        "2026-11-24 15:47:33,123 INFO errors: 0",
        '{"level":"info","msg":"error count","error":null}',
        '{"level": 30, "msg": "fine"}',
        "level=info errors=0",
        "<Information> Error log rotated",
        "ERRORS none",
        "",
    ],
)
def test_other_lines_are_none(line: str) -> None:
    assert found(line) == []


TRACEBACK = ("Traceback (most recent call last):", '  File "x.py", line 3, in f', "    f()", "ValueError: bad 7")


@pytest.mark.parametrize(
    ("lines", "messages"),
    [
        (TRACEBACK, ["ValueError: bad 7"]),
        (("ERROR: in a request", *TRACEBACK), ["in a request"]),
        (("INFO: in a request", *TRACEBACK), ["ValueError: bad 7"]),
        ((*TRACEBACK, *TRACEBACK), ["ValueError: bad 7"] * 2),
        ((*TRACEBACK, "ERROR: another"), ["ValueError: bad 7", "another"]),
        (("ERROR: one", "ERROR: two", *TRACEBACK, "INFO: fine", "ERROR: three"), ["one", "two", "three"]),
        (
            (*TRACEBACK, "", "During handling of the above exception, another exception occurred:", "", *TRACEBACK),
            ["ValueError: bad 7"],
        ),
        (
            ("2026-11-24 ERROR Traceback (most recent call last):", *TRACEBACK[1:]),
            ["Traceback (most recent call last)"],
        ),
        (("2026 | ERROR | x | " + r"\n".join(TRACEBACK) + r"\n", "INFO: fine"), ["ValueError: bad 7"]),
        (('{"level": "error", "msg": "gone", "exc": "' + r"\n".join(TRACEBACK[::3]) + '"}', "INFO: fine"), ["gone"]),
        ((*TRACEBACK[:2], "12:00 | INFO | cut short"), ["Traceback (most recent call last):"]),
    ],
)
def test_a_traceback_is_one_error(lines: tuple[str, ...], messages: list[str]) -> None:
    assert found(*lines) == messages


def test_a_system_says_itself_what_an_error_looks_like() -> None:
    assert found("!! gone", "ERROR: not for us", pattern="^!!") == ["gone"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error": "method not found: x"}', "method not found: x"),
        ('{"detail": "no", "status": 4}', "no"),
        ('{"error": {"code": 4}}', '{"error": {"code": 4}}'),
        ("<html>\nno", "<html>"),
        ("\n\nno such thing\nmore", "no such thing"),
        ("{" * 10**5, "{" * 8000),
        ("", ""),
    ],
)
def test_an_error_answer_says_what_is_wrong(body: str, message: str) -> None:
    assert told_by(body) == message


@given(st.lists(st.text()))
def test_nothing_that_is_printed_breaks_it(lines: list[str]) -> None:
    assert all(isinstance(kind_of(message), str) for message in found(*lines))


@given(st.text("ERORCITALFevl:|[]<>=\"' 0123456789{}-", max_size=60))
def test_no_error_is_passed_over_for_speed(line: str) -> None:
    """The words that are looked for first leave out nothing that the pattern would find."""
    assert (ErrorLines(re.compile(COMMON))._level(line) is None) == (re.search(COMMON, line) is None)
