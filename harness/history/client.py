"""The one place that talks to ClickHouse: the same statements to the embedded engine and to a server."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import ExitCode, HarnessError
from harness.files.strict_json import shown
from harness.history.location import Folder, Location, Server
from harness.history.lock import locked

STORE = "store"
"""The engine's own folder, inside that of the history: the lock stays where it is when the store is moved aside."""
CONNECT_SECONDS = 5
ANSWER_SECONDS = 60
"""The longest silence of a server that is taken for work."""


_DAMAGED = frozenset({32, 33, 40, 60, 79, 107, 226, 228, 246, 271})
"""Codes by which the engine says that its own files are not as it left them (ErrorCodes.cpp): ended early, wrong
checksum, wrong size, missing, cannot be decompressed."""
_NO_ROOM = 243


class Broken(HarnessError):
    """The files of the embedded engine are damaged."""


class Database:
    """An open history. Statements are fixed texts; whatever varies is a parameter or a row."""

    def __init__(self, client: Any, location: Location) -> None:
        self._client = client
        self._location = location

    def run(self, sql: str, **parameters: object) -> None:
        """Run a statement without an answer. Raises HarnessError."""
        with _translated(self._location):
            self._client.command(sql, parameters=parameters)

    def rows(self, sql: str, **parameters: object) -> Sequence[Sequence[object]]:
        """The rows that answer ``sql``. Raises HarnessError."""
        with _translated(self._location):
            answer = self._client.query(sql, parameters=parameters)
        return list(answer.result_rows)

    def insert(self, table: str, columns: Mapping[str, Sequence[object]]) -> None:
        """Insert ``columns``, all of one length, as one block. Raises HarnessError."""
        with _translated(self._location):
            self._client.insert(table, list(columns.values()), column_names=list(columns), column_oriented=True)


@contextmanager
def connected(location: Location) -> Iterator[Database]:
    """The history at ``location``, for this process alone if it is a folder.

    Raises HarnessError: 12 when it cannot be reached or another process has it open, 14 when its folder cannot be
    written, Broken (15) when the engine cannot read what is there.
    """
    if isinstance(location, Server):
        with _closing(_server(location), location) as database:
            yield database
    else:
        with locked(location.path), _closing(_embedded(location), location) as database:
            yield database


def move_aside(location: Folder, now: datetime) -> Path:
    """Give the damaged store of ``location`` another name, ``history.broken-<time>`` beside it, and return that.

    Raises HarnessError (14), and 12 when another process has the history open.
    """
    aside = location.path.with_name(f"{location.path.name}.broken-{now:%Y%m%dT%H%M%S%fZ}")
    with locked(location.path):
        try:
            (location.path / STORE).rename(aside)
        except OSError as error:
            message = f"history in {location} cannot be moved aside: {error.strerror}"
            raise HarnessError(message, ExitCode.NOT_SAVED) from error
    return aside


@contextmanager
def _closing(client: Any, location: Location) -> Iterator[Database]:
    try:
        yield Database(client, location)
    finally:
        client.close()


def _embedded(location: Folder) -> Any:
    library = _library()
    try:
        return library.get_client(interface="chdb", path=str(location.path / STORE))
    except ImportError:
        raise _not_installed() from None
    except library.driver.exceptions.ClickHouseError as error:
        raise _broken(location, error) from error


def _server(location: Server) -> Any:
    library = _library()
    with _translated(location):
        return library.get_client(
            interface="https" if location.secure else "http",
            host=location.host,
            port=location.port,
            username=location.user,
            password=location.password,
            database=location.database,
            compress=False,
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=ANSWER_SECONDS,
            settings={"wait_end_of_query": 1},  # an error after the first row would look like a short answer
        )


def _library() -> Any:
    """Loaded when it is needed, so that the commands can say what they do without it."""
    try:
        import clickhouse_connect
    except ImportError:
        raise _not_installed() from None
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())  # we say it, in one line
    return clickhouse_connect


def _not_installed() -> HarnessError:
    message = "the history needs clickhouse-connect and chdb-core: install the extra [history]"
    return HarnessError(message, ExitCode.ENVIRONMENT)


@contextmanager
def _translated(location: Location) -> Iterator[None]:
    """Errors of the library, the network and the disk as one line; what a server says is escaped and cut."""
    from clickhouse_connect.driver.exceptions import ClickHouseError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (ClickHouseError, HTTPError, OSError, ValueError, LookupError) as error:
        code = getattr(error, "code", None)
        if isinstance(location, Folder) and code in _DAMAGED:
            raise _broken(location, error) from error
        exit_code = ExitCode.NOT_SAVED if code == _NO_ROOM else ExitCode.ENVIRONMENT
        raise HarnessError(f"history at {location}: {_first_line(error)}", exit_code) from error


def _broken(location: Folder, error: Exception) -> Broken:
    return Broken(f"history in {location} is damaged: {_first_line(error)}", ExitCode.INTEGRITY)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return shown(text.partition("\n")[0])
