"""An embedded ClickHouse server: the chdb engine behind ClickHouse's HTTP interface, as a program of its own.

    python -m harness.services.clickhouse --host 127.0.0.1 --port 8123 --data FOLDER

For machines without Docker. A ClickHouse client connects to it as to a server: queries, parameters, settings, inserts
as a stream, compression (lz4, zstd, gzip, deflate), sessions, temporary tables, external data, error codes. As the
official image it takes ``CLICKHOUSE_USER``, ``CLICKHOUSE_PASSWORD`` and ``CLICKHOUSE_DB`` from its environment.

It is the real engine, so results, inserts and the cost of large queries are the engine's. It is *not* the real server:
the front is Python, so the latency of small statements must never be compared with a server's. ``GET /engine`` and the
header ``X-ClickHouse-Server-Display-Name: chdb`` say so; ``SELECT version()`` is the engine's own.

``system.query_log`` is written (flushed every 500 ms, or at once by ``SYSTEM FLUSH LOGS``; as in a server the table
appears with its first flush) with these differences:

- the engine draws its own query ids; find a query by its setting ``log_comment`` instead;
- the settings of a request are logged as ``SET`` statements of their own: filter by ``query_kind``.

Not supported, and refused with an error instead of ignored: users, roles and grants in SQL, the parameters ``role``,
``compress=1`` and ``decompress=1`` (compression by HTTP headers works), Brotli, ``INTO OUTFILE``. Missing: progress
headers; a query whose client went away is cancelled only while its result streams.
"""
