"""HTTP content encodings, a stream at a time. Every answer is one frame: not every client reads several."""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import lz4.frame

from harness.services.clickhouse.failure import failure

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP, _ZLIB = 31, 15
"""zlib's window bits: the largest window in a gzip or a zlib container."""
_FASTEST = 1


class Compressor(Protocol):
    """One compressed frame in the making."""

    def compress(self, data: bytes, /) -> bytes:
        """Take ``data`` in, give out what is finished."""

    def flush(self) -> bytes:
        """End the frame."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Lz4Compressor:
    """lz4's own compressor wants its header asked for."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._header: bytes = self._frame.begin()

    def compress(self, data: bytes, /) -> bytes:
        header, self._header = self._header, b""
        return header + bytes(self._frame.compress(data))

    def flush(self) -> bytes:
        return self.compress(b"") + bytes(self._frame.flush())


_COMPRESSORS: dict[str, Callable[[], Compressor]] = {
    "lz4": _Lz4Compressor,
    "zstd": zstd.ZstdCompressor,
    "gzip": lambda: zlib.compressobj(_FASTEST, zlib.DEFLATED, _GZIP),
    "deflate": lambda: zlib.compressobj(_FASTEST, zlib.DEFLATED, _ZLIB),
}
"""In the order of preference: cheapest first."""

_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
    "gzip": lambda: zlib.decompressobj(_GZIP),
    "deflate": lambda: zlib.decompressobj(_ZLIB),
}


def choose(accepted: str) -> str | None:
    """The encoding of an answer to a client that sent the header ``Accept-Encoding: accepted``, None for plain."""
    offered = {part.split(";")[0].strip().lower() for part in accepted.split(",") if not _refused(part)}
    return next((encoding for encoding in _COMPRESSORS if encoding in offered), None)


def compressed(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """``chunks`` as one frame of ``encoding``."""
    compressor = _COMPRESSORS[encoding]()
    for chunk in chunks:
        if data := compressor.compress(chunk):
            yield data
    yield compressor.flush()


def decompressed(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """What ``chunks``, one or more frames of ``encoding``, hold.

    Raises ``ClickHouseError``: 48 for an unknown encoding, 271 for broken or cut data. Cut data must not pass: the
    rows that arrived would be acknowledged as the whole insert.
    """
    if encoding in ("", "identity"):
        return iter(chunks)
    if encoding not in _DECOMPRESSORS:
        allowed = ", ".join(_DECOMPRESSORS)
        raise failure(48, f"Content-Encoding {encoding!r} is not supported, use one of: {allowed}.")
    return _frames(chunks, encoding)


def _frames(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    frame = _DECOMPRESSORS[encoding]()
    started = False
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if frame.eof:
                    frame = _DECOMPRESSORS[encoding]()
                started = True
                if data := frame.decompress(rest):
                    yield data
                rest = (frame.unused_data or b"") if frame.eof else b""
    except (zlib.error, zstd.ZstdError, RuntimeError, EOFError) as error:  # lz4 raises RuntimeError
        raise failure(271, f"The body is no valid {encoding}: {error}.") from error
    if started and not frame.eof:
        raise failure(271, f"The {encoding} body ends in the middle.")


def _refused(part: str) -> bool:
    return part.replace(" ", "").lower().endswith((";q=0", ";q=0.0"))
