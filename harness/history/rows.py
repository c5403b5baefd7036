"""A run as rows of the history's tables, and the fingerprint by which they are held against each other. Pure."""

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from harness.errors import ExitCode, HarnessError
from harness.history.schema import SAMPLES
from harness.model import Run

BLOCK = 50_000
"""Rows that are sent at once: bounds the memory that a large run takes."""
LONGEST = 1000
"""Characters of a text that are stored; a sample's names are repeated in each of its rows."""
_INT64 = 2**63
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, tzinfo=UTC)
"""What a DateTime64 can hold."""

Row = tuple[str, str, str, int, int, int, float, str, str, str]
"""A row of ``harness_samples``, in the order of its columns."""

FINGERPRINT_SQL = """
    SELECT count(), sum(reinterpretAsUInt64(substring(SHA256(concatWithSeparator('\\0', scenario, metric, unit, better,
        kind, toString(position), toString(round), toString(pair), toString(reinterpretAsUInt64(value)))), 1, 8)))
    FROM harness_samples FINAL WHERE run_hash = {run_hash:String}"""
"""Count and digest of the stored rows of a run; computes what ``fingerprint`` does."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How many rows there are, and the sum over their digests, modulo 2^64: whatever their order, these rows."""

    values: int
    digest: int


def fingerprint(run: Run) -> Fingerprint:
    """What the rows of ``run`` have to be in the history. Raises HarnessError (13) as ``sample_rows``."""
    values = digest = 0
    for row in sample_rows(run, ""):
        values += 1
        digest += _digest(row)
    return Fingerprint(values, digest % 2**64)


def _digest(row: Row) -> int:
    _, scenario, metric, position, number, pair, value, unit, better, kind = row
    bits = struct.unpack("<Q", struct.pack("<d", value))[0]
    text = "\0".join(map(str, (scenario, metric, unit, better, kind, position, number, pair, bits)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def sample_rows(run: Run, run_hash: str) -> Iterator[Row]:
    """Every value of ``run`` as a row. Raises HarnessError (13) for a round or pair beyond 64 bits."""
    for sample in run.samples:
        metric = sample.metric
        names = kept(sample.scenario), kept(metric.name)
        kinds = kept(metric.unit), metric.better, metric.kind
        for position, (value, number, pair) in enumerate(zip(sample.values, sample.rounds, sample.pairs, strict=True)):
            yield run_hash, *names, position, _whole(number, "round"), _whole(pair, "pair"), value, *kinds


def sample_blocks(run: Run, run_hash: str) -> Iterator[Mapping[str, Sequence[object]]]:
    """The rows of ``run`` in blocks of at most ``BLOCK``, as columns."""
    rows = sample_rows(run, run_hash)
    while block := list(islice(rows, BLOCK)):
        yield dict(zip(SAMPLES, zip(*block, strict=True), strict=True))


def run_row(run: Run, run_hash: str, expected: Fingerprint, added: datetime) -> Mapping[str, Sequence[object]]:
    """The row of ``run`` in ``harness_runs``, as columns. Raises HarnessError (13) for a start that is no date."""
    settings = {
        f"{service}.{name}": value for service, pairs in run.variant.settings.items() for name, value in pairs.items()
    }
    row = {
        "run_hash": run_hash,
        "session": kept(run.session),
        "side": run.variant.name,
        "origin": kept(run.variant.origin),
        "started": _moment(run.started),
        "state": run.state,
        "seed": run.seed,
        "rounds": _whole(run.rounds, "rounds"),
        "commit": kept(run.environment.volatile.get("commit", "")),
        "settings": _texts(settings),
        "stable": _texts(run.environment.stable),
        "volatile": _texts(run.environment.volatile),
        "values": expected.values,
        "digest": expected.digest,
        "added": added,
    }
    return {name: [value] for name, value in row.items()}


def kept(text: str) -> str:
    """``text`` as it is stored: what UTF-8 cannot hold is escaped; a long text is cut and ends with its hash."""
    data = text.encode("utf-8", "backslashreplace")
    whole = data.decode()
    if len(whole) <= LONGEST:
        return whole
    return f"{whole[: LONGEST - 17]}…{hashlib.sha256(data).hexdigest()[:16]}"


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {kept(name): kept(texts[name]) for name in sorted(texts)}


def _whole(number: int, name: str) -> int:
    if not -_INT64 <= number < _INT64:
        raise HarnessError(f"{name}: found {number}, allowed: a number of 64 bits", ExitCode.BASELINE)
    return number


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not _EARLIEST <= moment <= _LATEST:
        found = kept(text)[:60]
        message = f"started: found {found!a}, allowed: a time with its zone, such as 2026-01-31T12:00:00+00:00"
        raise HarnessError(message, ExitCode.BASELINE)
    return moment.astimezone(UTC)
