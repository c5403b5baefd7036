"""Where the history is: a folder with the embedded engine, or a database on a server."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from harness.errors import ExitCode, HarnessError
from harness.files.strict_json import shown

_PORTS = {"clickhouse": 8123, "http": 8123, "https": 8443}
_ALLOWED = "clickhouse://user:password@host:port/database, or the same with http or https"
_PATTERN = "?*{}"


@dataclass(frozen=True, slots=True)
class Folder:
    """The embedded engine on a folder of its own."""

    path: Path

    def __str__(self) -> str:
        return shown(self.path)


@dataclass(frozen=True, slots=True)
class Server:
    """A database on a server, by its HTTP interface."""

    host: str
    port: int
    secure: bool
    user: str
    password: str = field(repr=False)
    database: str

    def __str__(self) -> str:
        return shown(f"{self.host}:{self.port}/{self.database}")


Location = Folder | Server


def location_of(reports: Path, url: str) -> Location:
    """The database that ``url`` names; when it is empty, the folder ``reports/history``.

    Raises HarnessError (4). No message shows the URL, since a password may be in it.
    """
    if not url:
        folder = reports / "history"
        if any(character in str(folder.resolve()) for character in _PATTERN):
            message = f"history in {shown(folder)}: the engine takes a path with one of {_PATTERN} for a pattern"
            raise HarnessError(message, ExitCode.USAGE)
        return Folder(folder)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("something that is no URL") from None
    _check(parts)
    return Server(
        host=parts.hostname or "",
        port=port or _PORTS[parts.scheme],
        secure=parts.scheme == "https",
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or "default",
    )


def _check(parts: SplitResult) -> None:
    if parts.scheme not in _PORTS:
        raise _refused(f'the scheme "{shown(parts.scheme)}"')
    if not parts.hostname:
        raise _refused("no host")
    if "/" in parts.path.strip("/"):
        raise _refused("more than one name after the host")
    if parts.query or parts.fragment:
        raise _refused("something after ? or #")


def _refused(found: str) -> HarnessError:
    return HarnessError(f"history URL: found {found}, allowed: {_ALLOWED}", ExitCode.USAGE)
