"""Trends on their way from the process that has the history open to the one that reports: one JSON document."""

from harness.files.codec import decode, encode
from harness.files.json_text import compact
from harness.files.strict_json import member, parse_object
from harness.model import Trend


def trends_to_json(trends: tuple[Trend, ...]) -> bytes:
    """The document ``{"trends": [...]}``, in one line."""
    return compact({"trends": encode(trends)})


def trends_from_json(data: bytes) -> tuple[Trend, ...]:
    """What ``trends_to_json`` wrote. Raises Mismatch on anything else."""
    return decode(tuple[Trend, ...], member(parse_object(data), "trends"))
