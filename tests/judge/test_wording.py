import pytest

from harness.judge.wording import describe_change, one_line, plural


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("two\r\nlines\tand\x1b[31m more\u202e", "two lines and [31m more"),
        ("x" * 11, "x" * 9 + "…"),
        ("", ""),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text, limit=10 if "x" in text else 50) == line


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0.08, "noisy", "relative"), "+8.0 %"),
        ((-0.021, "rate", "absolute"), "−2.1 points"),
        ((3.0, "count", "absolute"), "+3"),
        ((-1500.0, "count", "absolute"), "−1500"),
    ],
)
def test_describe_change(arguments: tuple[float, str, str], text: str) -> None:
    assert describe_change(*arguments) == text  # type: ignore[arg-type]


def test_plural() -> None:
    assert (plural(1, "round"), plural(0, "round"), plural(2, "round")) == ("1 round", "0 rounds", "2 rounds")
