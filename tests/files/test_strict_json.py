import os
from pathlib import Path

import pytest

from harness.errors import ExitCode, HarnessError
from harness.files.benchmark_json import load, read_benchmark_json
from harness.files.runfile import read_run
from harness.files.strict_json import MAX_BYTES, MAX_CONTAINERS, Mismatch, describe, parse_object, shown

READERS = [read_run, read_benchmark_json, load]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1, column 1: found expecting value, allowed: JSON"),
        (b'{"a": "x', "line 1, column 7: found unterminated string starting at, allowed: JSON"),
        (b'{"a": 1,\n "b" 2}', "line 2, column 6: found expecting ':' delimiter, allowed: JSON"),
        (b"\x00\x01\x02", "line 1, column 1: found expecting value"),
        (b'{"a":\n"\xff"}', "line 2: found the byte 0xff, allowed: UTF-8 text"),
        (b'\xef\xbb\xbf{"a": 1}', "line 1, column 1: found a byte-order mark, allowed: UTF-8 without one"),
        (b'{"a": 1}'.decode().encode("utf-16"), "line 1: found the byte 0xff, allowed: UTF-8 text"),
        (b"[]", "document: found a list of 0, allowed: an object"),
        (b'"\x1b[2J"', "line 1, column 2: found invalid control character at, allowed: JSON"),
        (b'"\\u001b[2J"', 'document: found "\\x1b[2J", allowed: an object'),
        (b"null", "document: found null, allowed: an object"),
        (b'{"a": NaN}', "document: found NaN, allowed: finite numbers"),
        (b'{"a": -Infinity}', "document: found -Infinity, allowed: finite numbers"),
        (b'{"a": 1' + b"0" * 400 + b"}", "document: found the integer 10000000000000000000…, allowed: at most 64 bits"),
        (
            b'{"a": -18446744073709551617}',
            "document: found the integer -1844674407370955161…, allowed: at most 64 bits",
        ),
        (b'{"a": 1, "b": 2, "a": 3}', 'document: found the key "a" twice in one object, allowed: every key once'),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "document: found values nested 33 deep, allowed: at most 32 deep"),
        (b"[" * 100_000, "document: found values nested 100000 deep, allowed: at most 32 deep"),
        (b'{"a": [' + b"[]," * MAX_CONTAINERS + b"[]]}", f"document: found {MAX_CONTAINERS + 3} objects and lists"),
    ],
)
def test_what_is_not_strict_json_is_refused_in_one_line(tmp_path: Path, reader, data: bytes, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(HarnessError) as caught:
        reader(path)
    assert caught.value.code is ExitCode.BASELINE
    assert str(caught.value).startswith(f"{path}: {message}")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path, reader) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, reason in {
        tmp_path / "pipe": "found something else, allowed: a regular file",
        tmp_path: "found something else, allowed: a regular file",
        Path("/dev/zero"): "found something else, allowed: a regular file",
        tmp_path / "missing": "cannot be read: No such file or directory",
        tmp_path / "loop": "cannot be read: Too many levels of symbolic links",
        Path("/proc/self/mem"): "cannot be read: Input/output error",
        Path("a\0b"): "cannot be read: not a file name",
    }.items():
        with pytest.raises(HarnessError) as caught:
            reader(path)
        assert caught.value.code is ExitCode.BASELINE
        assert str(caught.value) == f"{shown(path)}: {reason}"


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(HarnessError, match="larger than 64 MiB"):
        read_run(path)


def test_brackets_in_strings_are_not_nesting() -> None:
    text = '{"a": "' + "[{" * 50 + '\\"' + "[" * 50 + '", "b\\\\": ["]"]}'
    assert parse_object(text.encode()) == {"a": "[{" * 50 + '"' + "[" * 50, "b\\": ["]"]}


def test_the_deepest_and_largest_that_is_allowed_is_read() -> None:
    assert parse_object(b'{"a":' * 32 + b"18446744073709551616" + b"}" * 32)


def test_a_path_grows_outwards() -> None:
    inner = Mismatch("x", "y").under("[3]").under("data").under("[0]").under("benchmarks")
    assert str(inner) == "benchmarks[0].data[3]: found x, allowed: y"


def test_what_is_shown_is_short_and_printable() -> None:
    assert shown("a\n\x1b\u202e\udc80ü") == "a\\n\\x1b\\u202e\\udc80ü"
    assert len(shown("x" * 10_000)) == 241
    assert describe("y" * 100) == '"' + "y" * 60 + '"…'
    assert describe({}) == "an object"
