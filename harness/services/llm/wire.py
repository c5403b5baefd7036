"""One connection, down to its socket: what a fault needs and a web framework does not offer."""

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine

from harness.services.llm.http import HEAD_LIMIT, Request, read_request

_LINGER_SECONDS = 5.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with time 0: closing sends RST and throws away what was not sent (socket(7))."""


class ClientLeft(Exception):
    """The client closed its side while it was owed an answer."""


class Wire:
    """A connection. asyncio switches Nagle's algorithm off (TCP_NODELAY), so each ``send`` leaves at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: asyncio.Event) -> None:
        self._reader = reader
        self._writer = writer
        self._left = left

    async def receive(self) -> Request | None:
        """The next request, or None at the end of the connection. Raises ``http.BadRequest``, ``OSError``."""
        return await read_request(self._reader, lambda: self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n"))

    async def send(self, data: bytes) -> None:
        """Hand ``data`` to the kernel in one write. Raises ``OSError`` if the connection broke."""
        self._writer.write(data)
        await self._writer.drain()

    async def pause(self, seconds: float | None) -> None:
        """Wait, for ever if ``seconds`` is None; ``ClientLeft`` as soon as the client closes its side."""
        try:
            async with asyncio.timeout(seconds):
                await self._left.wait()
        except TimeoutError:
            return
        raise ClientLeft

    def close(self) -> None:
        """End the connection after what was sent."""
        self._writer.close()

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._writer.transport.abort()

    async def linger(self) -> None:
        """Let the client read the answer to a request that was not read to its end.

        Closing with unread bytes would send RST, which may overtake the answer (RFC 9112, section 9.6).
        """
        self._writer.write_eof()
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._reader.read(HEAD_LIMIT):
                    pass
        except TimeoutError:
            return


Serve = Callable[[Wire], Coroutine[None, None, None]]
"""Serves one connection to its end."""


class _Protocol(asyncio.StreamReaderProtocol):
    """Notices the end of the client's side at once, not only when somebody reads."""

    def __init__(self, serve: Serve) -> None:
        super().__init__(asyncio.StreamReader(limit=HEAD_LIMIT), self._connected)
        self._serve = serve
        self._left = asyncio.Event()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # An own task: the one that asyncio 3.11 makes from a coroutine here prints a traceback when it is cancelled.
        self._serving = asyncio.create_task(self._serve(Wire(reader, writer, self._left)))

    def eof_received(self) -> bool | None:
        self._left.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left.set()
        super().connection_lost(exc)


async def listen(host: str, port: int, serve: Serve) -> asyncio.Server:
    """Accept connections on ``host`` and ``port`` (0: any free one); each is given to ``serve``. Raises ``OSError``."""
    return await asyncio.get_running_loop().create_server(lambda: _Protocol(serve), host, port, backlog=1024)
