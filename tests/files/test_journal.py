import json
import os
import random
import stat
from binascii import crc32
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import ExitCode, HarnessError
from harness.files.journal import MAX_LINE, MAX_MESSAGE, Journal, line_of, read_journal
from harness.files.records import Failed, Record, RoundDone, Value
from harness.model import Failure

KILLS = 50

APPEND_FOR_EVER = """
import os, sys
from pathlib import Path
from harness.files.journal import Journal
from harness.files.records import Value

number = int(sys.argv[2])
with Journal.reopen(Path(sys.argv[1])) as journal:
    while True:
        journal.write(Value("before", "s" * (number % 97 + 1), "m", number, 0, number / 7))
        os.write(1, b"%08d" % number)
        number += 1
"""

FULL_DISK = """
import json, resource, signal, sys
from pathlib import Path
from harness.errors import HarnessError
from harness.files.journal import Journal
from harness.files.records import RoundDone

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Journal.create(Path(sys.argv[1])) as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
    written, errors = [], []
    for number in range(100):
        try:
            journal.write(RoundDone(number))
            written.append(number)
        except HarnessError as error:
            errors.append([int(error.code), str(error)])
            if len(errors) == 3:  # there is room again
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(json.dumps([written, errors]))
"""


def write(path: Path, records: Sequence[Record]) -> bytes:
    with Journal.create(path) as journal:
        for record in records:
            journal.write(record)
    return path.read_bytes()


def is_subsequence(some: Sequence[Record], all_of_them: Sequence[Record]) -> bool:
    rest = iter(all_of_them)
    return all(record in rest for record in some)


def test_what_was_written_is_read(tmp_path: Path, records: tuple[Record, ...]) -> None:
    write(tmp_path / "j", records)
    contents = read_journal(tmp_path / "j")
    assert contents.records == records
    assert contents.bad_lines == ()


def test_a_line_is_a_checksum_and_compact_json() -> None:
    assert line_of(RoundDone(3, 1.5)) == b'81b1f308 {"round":3,"seconds":1.5,"type":"round_done"}\n'


def test_it_is_private_and_not_created_twice(tmp_path: Path, records: tuple[Record, ...]) -> None:
    content = write(tmp_path / "j", records)
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o600
    with pytest.raises(HarnessError, match="File exists") as caught:
        Journal.create(tmp_path / "j")
    assert caught.value.code is ExitCode.NOT_SAVED
    assert (tmp_path / "j").read_bytes() == content


def test_only_one_process_writes_it(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "j"), pytest.raises(HarnessError, match="another process is writing it") as caught:
        Journal.reopen(tmp_path / "j")
    assert caught.value.code is ExitCode.NOT_SAVED
    Journal.reopen(tmp_path / "j").close()


def test_only_sync_and_close_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (synced.append(descriptor), real(descriptor)))
    with Journal.create(tmp_path / "j") as journal:
        journal.write(RoundDone(0))
        assert synced == []
        journal.sync()
        assert len(synced) == 1
    assert len(synced) == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e19])
def test_numbers_that_cannot_be_stored_are_refused_and_nothing_is_written(tmp_path: Path, value: float) -> None:
    with Journal.create(tmp_path / "j") as journal:
        with pytest.raises(ValueError, match="only finite numbers within"):
            journal.write(Value("before", "s", "m", 0, 0, value))
        journal.write(RoundDone(0))
    assert read_journal(tmp_path / "j").records == (RoundDone(0),)


def test_a_long_message_is_cut_and_a_record_too_long_refused(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "j") as journal:
        journal.write(Failed(None, Failure("s", 0, "x" * 10**7)))
        with pytest.raises(ValueError, match="too long for the journal"):
            journal.write(Value("before", "s" * MAX_LINE, "m", 0, 0, 1.0))
    (failed,) = read_journal(tmp_path / "j").records
    assert isinstance(failed, Failed)
    assert failed.failure.message == "x" * MAX_MESSAGE + "… (10000000 characters)"


def whole_lines(content: bytes, size: int) -> tuple[int, bool]:
    """How many records the first ``size`` bytes hold, the last maybe without newline; whether a torn one follows."""
    whole, rest = content[:size].count(b"\n"), content[:size].rpartition(b"\n")[2]
    only_newline_missing = rest != b"" and content[size : size + 1] == b"\n"
    return whole + only_newline_missing, rest != b"" and not only_newline_missing


def test_cut_at_every_byte_a_whole_prefix_is_read(tmp_path: Path, records: tuple[Record, ...]) -> None:
    path = tmp_path / "j"
    content = write(path, records)
    for size in reversed(range(len(content))):
        os.truncate(path, size)
        contents = read_journal(path)
        whole, torn = whole_lines(content, size)
        assert contents.records == records[:whole]
        assert contents.bad_lines == ((whole + 1,) if torn else ())


def test_reopened_after_a_cut_anywhere_nothing_is_glued_to_the_rest(tmp_path: Path) -> None:
    records = tuple(map(RoundDone, range(3)))
    content = write(tmp_path / "j", records)
    path = tmp_path / "cut"
    for size in range(len(content)):
        path.write_bytes(content[:size])
        write_to_reopened(path, RoundDone(99), RoundDone(100))
        contents = read_journal(path)
        whole, torn = whole_lines(content, size)
        assert contents.records == (*records[:whole], RoundDone(99), RoundDone(100))
        assert contents.bad_lines == ((whole + 1,) if torn else ())


def write_to_reopened(path: Path, *records: Record) -> None:
    with Journal.reopen(path) as journal:
        for record in records:
            journal.write(record)


def test_no_single_flipped_bit_makes_a_wrong_record(tmp_path: Path, records: tuple[Record, ...]) -> None:
    records = (*records[4:6], records[-1])
    content = write(tmp_path / "j", records)
    with (tmp_path / "j").open("r+b", buffering=0) as file:
        for bit in range(8 * len(content)):
            at, good = bit // 8, content[bit // 8]
            os.pwrite(file.fileno(), bytes([good ^ 1 << bit % 8]), at)
            contents = read_journal(tmp_path / "j")
            os.pwrite(file.fileno(), bytes([good]), at)
            assert is_subsequence(contents.records, records)
            assert len(contents.records) < len(records)
            assert contents.bad_lines


def test_no_random_damage_makes_a_wrong_record(tmp_path: Path, records: tuple[Record, ...]) -> None:
    content = write(tmp_path / "j", records)
    path, chance = tmp_path / "damaged", random.Random(2)
    for _ in range(500):
        damaged = bytearray(content)
        start = chance.randrange(len(damaged))
        damaged[start : start + chance.randrange(1, 300)] = chance.randbytes(chance.randrange(300))
        path.write_bytes(damaged)
        assert is_subsequence(read_journal(path).records, records)


def test_lines_that_we_never_write_are_bad_but_bounded(tmp_path: Path) -> None:
    path = tmp_path / "j"
    checked = [
        b'{"type":"unknown"}',
        b'{"type":["value"]}',
        b"[]",
        b'{"round":true,"type":"round_done"}',
        b"[" * 90_000,
    ]
    lines = [line_of(RoundDone(1)), b"x" * (3 * MAX_LINE) + b"\n", *map(_with_checksum, checked), line_of(RoundDone(2))]
    path.write_bytes(b"".join(lines))
    contents = read_journal(path)
    assert contents.records == (RoundDone(1), RoundDone(2))
    assert contents.bad_lines == (2, 3, 4, 5, 6, 7)


def _with_checksum(body: bytes) -> bytes:
    return b"%08x %s\n" % (crc32(body), body)


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(_with_checksum(b'{"type":"session_start","schema":2,"new":1}'))
    with pytest.raises(HarnessError, match="schema 2, allowed: 1; a newer version wrote it") as caught:
        read_journal(tmp_path / "j")
    assert caught.value.code is ExitCode.BASELINE


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    for path, reason in [
        (tmp_path / "missing", "No such file"),
        (tmp_path, "regular file"),
        (Path("/dev/zero"), "regular"),
    ]:
        with pytest.raises(HarnessError, match=reason) as caught:
            read_journal(path)
        assert caught.value.code is ExitCode.BASELINE


def test_killed_at_any_moment_no_acknowledged_record_is_lost(tmp_path: Path, writer) -> None:
    path, chance, next_number, acknowledged = tmp_path / "j", random.Random(3), 0, set[int]()
    Journal.create(path).close()
    for _ in range(KILLS):
        with writer(APPEND_FOR_EVER, path, next_number) as process:
            first = process.stdout.read(8 * chance.randrange(1, 200))
            process.kill()
            output = first + process.stdout.read()
        acknowledged |= {int(output[at : at + 8]) for at in range(0, len(output), 8)}
        next_number = max(acknowledged) + 2  # the number after the last acknowledged may have been written, too
    values = [record for record in read_journal(path).records if isinstance(record, Value)]
    numbers = [value.round for value in values]
    assert acknowledged - set(numbers) == set()
    assert len(numbers) <= len(acknowledged) + KILLS
    assert numbers == sorted(set(numbers))
    assert all(
        value == Value("before", "s" * (n % 97 + 1), "m", n, 0, n / 7) for n, value in zip(numbers, values, strict=True)
    )


def test_a_full_disk_is_said_and_what_was_acknowledged_is_there(tmp_path: Path, writer) -> None:
    path = tmp_path / "j"
    with writer(FULL_DISK, path) as process:
        written, errors = json.loads(process.communicate(timeout=60)[0])
    assert errors == [[14, f"cannot save {path}: File too large"]] * 3
    assert len(written) == 97
    assert read_journal(path).records == tuple(map(RoundDone, written))


def test_no_space_left_on_a_real_device() -> None:
    with Journal.reopen(Path("/dev/full")) as journal:
        with pytest.raises(HarnessError, match="cannot save /dev/full: No space left on device") as caught:
            journal.write(RoundDone(0))
        os.close(journal._descriptor)  # what cannot be synced fails, too
        with pytest.raises(HarnessError, match="Bad file descriptor"):
            journal.sync()
        journal._descriptor = -1
    assert caught.value.code is ExitCode.NOT_SAVED
