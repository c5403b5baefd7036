"""What a generator is told: the plan, the requests, where they go and how long each may take. JSON both ways. Pure."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.load.plan import Plan, Segment, Start, starts

NUMBER = "{number}"
"""In a path or a body: replaced by the number of the start, so that no two requests are the same."""


@dataclass(frozen=True, slots=True)
class Request:
    """One kind of request of a mix."""

    name: str
    path: str
    method: str = "GET"
    json: Any = None
    """Sent as JSON; None: no body."""
    weight: float = 1.0
    """How often it comes, relative to the others."""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    """Any other status is a failure."""
    expects: str = ""
    """A text that a good answer contains: a wrong answer is a failure, however fast it is."""


@dataclass(frozen=True, slots=True)
class Job:
    """One load, for a generator of one or several processes."""

    url: str
    plan: Plan
    requests: tuple[Request, ...]
    records: str
    """The file that gets a line for every request."""
    workers: int = 1
    in_flight: int = 1000
    """Requests that may be in flight at once in each worker; when a service lets more pile up, starts come late, and
    the result is invalid."""
    timeout: float = 60.0
    """Seconds without a byte of an answer after which a request has failed."""
    drain: float = 5.0
    """Seconds after the last start for which answers are waited for; what is in flight then is recorded as such."""


def mixed(job: Job) -> Iterator[tuple[Start, Request]]:
    """Each start with the request that is drawn for it; the same for the same seed, whatever the number of workers."""
    draw = random.Random(f"mix {job.plan.seed}")  # noqa: S311 - a schedule, no secret
    weights = [request.weight for request in job.requests]
    for start in starts(job.plan):
        (request,) = draw.choices(job.requests, weights)
        yield start, request


def to_json(job: Job) -> str:
    """``job`` as text."""
    return json.dumps(asdict(job))


def from_json(text: str) -> Job:
    """The job that ``to_json`` wrote."""
    fields = json.loads(text)
    plan, requests = fields.pop("plan"), fields.pop("requests")
    segments: Sequence[dict[str, Any]] = plan.pop("segments")
    return Job(
        plan=Plan(tuple(Segment(**segment) for segment in segments), **plan),
        requests=tuple(Request(**request) for request in requests),
        **fields,
    )
