import pytest

from harness.patterns import concerns, escaped, excused, matches, told


@pytest.mark.parametrize(
    ("name", "pattern", "match"),
    [
        ("load/x[10]:latency", "load/x[10]:latency", True),
        ("load/x[10]:latency", "load/x[10]:*", True),
        ("load/x[10]:latency", "load/*:latency", True),
        ("load/x[10]:latency", "load/x[*]:lat?ncy", True),
        ("load/x[a-b]:latency", "*[a-b]:latency", True),
        ("load/x[10]:latency", "load/x[20]:*", False),
        ("load/x1:latency", "load/x[12]:latency", True),
        ("load/x1:latency", "load/x[!12]:latency", False),
        ("load/x1:latency", "LOAD/*", False),
        ("load/x1:latency", escaped("load/x[10]") + ":latency", False),
        ("load/x[10]:latency", escaped("load/x[10]") + ":latency", True),
        ("load/x[*]:latency", escaped("load/x[*]") + ":lat*", True),
        ("load/x[3]:latency", escaped("load/x[*]") + ":lat*", False),
    ],
)
def test_a_pattern_means_a_name_with_brackets_too(name: str, pattern: str, *, match: bool) -> None:
    assert matches(name, pattern) is match


@pytest.mark.parametrize("name", ["load/x[10]", "load/x[*-?]", "a*b?[c]"])
def test_an_escaped_name_is_told_as_it_is(name: str) -> None:
    assert told(escaped(name)) == name


@pytest.mark.parametrize(
    ("pattern", "concerned"),
    [
        ("errors/shop:status 501: no such method", True),
        ("errors/shop:*", True),
        ("errors/*", True),
        ("errors/sho:status 501: no such method", False),
        ("errors/shop", True),
    ],
)
def test_the_name_of_a_metric_may_hold_a_colon(pattern: str, *, concerned: bool) -> None:
    assert concerns(pattern, "errors/shop") is concerned
    assert excused(pattern, ["errors/shop"], []) is concerned
    assert not excused(pattern, ["errors/shop"], ["errors/shop"])
