"""Callers who share a few connections: a closed queue, exactly. Pure.

``callers`` think, ask, and wait for their answer, over and over. This is the machine-repairman queue M/M/s//N: thinking
and service take exponential times, a caller without a connection waits in line (Kleinrock, Queueing Systems I, 3.8; for
thinking any distribution of that mean will do).
"""

import math

from harness.model import Metric

CONNECTIONS = Metric("connections", "1", about="Connections of the pool.")
WAIT = Metric("wait", "s", about="Time that a query waits for a free connection, on average.")
THROUGHPUT = Metric("throughput", "1/s", better="higher", about="Queries answered in a second.")
OBJECTIVES = (CONNECTIONS, WAIT, THROUGHPUT)


def predict(callers: int, connections: int, service: float, think: float) -> dict[str, float]:
    """The mean of each objective; ``service`` and ``think`` are means in seconds, above 0.

    The share of time in which n callers are with the pool grows from that of n - 1 by the rate at which one of the
    others comes, over the rate at which one of min(n, connections) is done.
    """
    logs = [0.0]  # the weights of many callers are beyond what a float holds
    for n in range(1, callers + 1):
        logs.append(logs[-1] + math.log((callers - n + 1) / think * service / min(n, connections)))
    weights = [math.exp(log - max(logs)) for log in logs]
    total = sum(weights)
    busy = sum(min(n, connections) * weight for n, weight in enumerate(weights)) / total
    waiting = sum(max(0, n - connections) * weight for n, weight in enumerate(weights)) / total
    throughput = busy / service
    return {CONNECTIONS.name: float(connections), WAIT.name: waiting / throughput, THROUGHPUT.name: throughput}


def sizes(callers: int) -> tuple[int, ...]:
    """Sizes worth trying: more connections than callers are never used."""
    return tuple(range(1, callers + 1))
