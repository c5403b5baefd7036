"""A model provider that fails on a script: ``python -m harness.services.llm --port 8089 --script FILE``.

    steps.py      the grammar of scripts: text in, validated steps out        pure
    answers.py    what a provider says: completions, streams, errors          pure
    http.py       requests read and responses rendered, within bounds
    wire.py       one connection down to its socket: pause, truncate, reset
    calls.py      the log of calls: attempts counted from outside
    provider.py   puts them together: plays one step for each call
    server.py     the program: arguments, signals, listening

An own HTTP server because most faults (a reset, a short body, silence) lie below what a web framework lets one do.
"""
