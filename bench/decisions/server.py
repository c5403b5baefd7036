"""The program under test: starts, answers ``/work[/LOOPS]`` and ``/retry``, and is as much slower as its options say.

python -m bench.decisions.server --start-loops N --work-loops N --waits MS MS
"""

import time

_EXEC = time.monotonic_ns()

import argparse  # noqa: E402 - the first line of the program is what is timed
import asyncio  # noqa: E402

import tenacity  # noqa: E402


def _mark(name: str, at: int) -> None:
    print(name, at, flush=True)


def burn(loops: int) -> int:
    """Work whose cost is proportional to ``loops``."""
    x = 1
    for _ in range(loops):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
    return x


class _Unavailable(Exception):
    pass


async def recover(waits: list[float]) -> None:
    """Fail as often as there are waits (seconds), then succeed."""
    pauses = iter(waits)
    attempts = tenacity.AsyncRetrying(wait=lambda _: next(pauses), retry=tenacity.retry_if_exception_type(_Unavailable))
    left = len(waits)
    async for attempt in attempts:
        with attempt:
            left -= 1
            if left >= 0:
                raise _Unavailable


async def _request(reader: asyncio.StreamReader) -> str:
    """The path of the next request; empty when there is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return ""
    return head.split(b" ", 2)[1].decode()


async def main() -> None:
    _mark("imported", time.monotonic_ns())
    parser = argparse.ArgumentParser()
    parser.add_argument("--start-loops", type=int, required=True)
    parser.add_argument("--work-loops", type=int, required=True)
    parser.add_argument("--waits", type=float, nargs=2, required=True)
    options = parser.parse_args()
    burn(options.start_loops)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await _request(reader):
            name, _, number = request.removeprefix("/").partition("/")
            if name == "work":
                burn(int(number or options.work_loops))
            else:
                await recover([wait / 1e3 for wait in options.waits])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    _mark("port", server.sockets[0].getsockname()[1])
    _mark("ready", time.monotonic_ns())
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    _mark("exec", _EXEC)
    asyncio.run(main())
