"""Where a history is: what a URL may say, and that its password stays out of every message."""

from pathlib import Path

import pytest

from harness.errors import ExitCode, HarnessError
from harness.history.location import Folder, Server, location_of

REPORTS = Path("/reports")


def test_without_a_url_it_is_a_folder() -> None:
    assert location_of(REPORTS, "") == Folder(REPORTS / "history")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "clickhouse://db.example",
            Server("db.example", 8123, secure=False, user="default", password="", database="default"),
        ),
        (
            "clickhouse://u:p%40%2F@[::1]:9123/perf",
            Server("::1", 9123, secure=False, user="u", password="p@/", database="perf"),
        ),
        (
            "http://db.example/a%20b/",
            Server("db.example", 8123, secure=False, user="default", password="", database="a b"),
        ),
        ("https://u@db.example/perf", Server("db.example", 8443, secure=True, user="u", password="", database="perf")),
    ],
)
def test_what_a_url_says(url: str, expected: Server) -> None:
    assert location_of(REPORTS, url) == expected


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("ftp://u:hunter2@h/d", 'the scheme "ftp"'),
        ("h:8123", 'the scheme "h"'),
        ("clickhouse://u:hunter2@/d", "no host"),
        ("clickhouse://u:hunter2@h:port/d", "something that is no URL"),
        ("clickhouse://u:hunter2@h:99999/d", "something that is no URL"),
        ("clickhouse://u:hunter2@h/d/e", "more than one name"),
        ("https://u:hunter2@h/d?secure=0", "something after ? or #"),
    ],
)
def test_what_it_must_not_say(url: str, found: str) -> None:
    with pytest.raises(HarnessError) as refused:
        location_of(REPORTS, url)
    assert f"history URL: found {found}" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert refused.value.code == ExitCode.USAGE


def test_a_password_is_not_shown() -> None:
    location = location_of(REPORTS, "clickhouse://u:hunter2@h/d")
    assert str(location) == "h:8123/d"
    assert "hunter2" not in repr(location)


@pytest.mark.parametrize("name", ["a?b", "a*b", "{a}"])
def test_a_folder_that_the_engine_takes_for_a_pattern_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="pattern"):
        location_of(tmp_path / name, "")
