"""How values are printed."""

import math

import pytest

from harness.units import format_change, format_value, three_digits


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0421, "s", "42.1 ms"),
        (1.0, "s", "1 s"),
        (61.234, "s", "61.2 s"),
        (0.00000061, "s", "610 ns"),
        (0.0, "s", "0 s"),
        (-0.5, "s", "-500 ms"),
        (47_000_000, "B", "44.8 MiB"),
        (512, "B", "512 B"),
        (3, "1", "3"),
        (0.25, "1", "0.250"),
        (5, "rows", "5 rows"),
        (math.inf, "s", "inf s"),
        (math.nan, "1", "nan"),
    ],
)
def test_a_value_in_its_unit(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (-0.055, "−5.5 %"),
        (0.055, "+5.5 %"),
        (0.0, "+0.0 %"),
        (-1.0, "−100 %"),
        (1.5, "+150 %"),
        (10.4, "×11.4"),
        (math.inf, "+∞"),
        (-math.inf, "−∞"),
    ],
)
def test_a_change(change: float, text: str) -> None:
    assert format_change(change) == text


def test_three_digits_keep_whole_numbers_whole() -> None:
    assert [three_digits(x) for x in (12345, 12345.6, 0.001234, 2e7, 1e-7)] == [
        "12345",
        "12346",
        "0.00123",
        "2e+07",
        "1e-07",
    ]
