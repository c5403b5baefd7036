"""Load on a service: requests that start when a schedule says so, whatever is still in flight.

    plan.py       when requests start and which ones: segments of arrival rate -> intended starts       pure
    job.py        what a generator is told: a plan, requests, an address; as JSON                       pure
    program.py    what locust runs: starts them on time, tells of every single one                      a program
    records.py    a line for every request                                                              pure
    summary.py    throughput, quantiles with the unanswered, failures, and whether it was there    pure
    capacity.py   the highest rate that keeps a limit: which rate to try next                           pure
    recovery.py   how long after a spike latency is back                                                pure
    runner.py     starts the program, watches it, reads what it told; `drive` is what scenarios call

locust patches the process that imports it, so it runs in processes of its own; only `program.py` imports it.
"""
