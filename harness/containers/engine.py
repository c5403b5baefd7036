"""The way to a Docker engine: connect, ask, and say in one line what went wrong."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.masking import redact

if TYPE_CHECKING:
    import docker

ANSWER_SECONDS = 10.0
"""How long an engine may be silent before it is taken for hanging."""
_DEFAULT = "unix:///var/run/docker.sock"
_SHOWN = 300
"""Characters that are shown of an engine's own words."""


def connect(within: float = ANSWER_SECONDS) -> "docker.DockerClient":
    """A client of the engine that DOCKER_HOST or Docker's context names; to be closed by the caller.

    ``within``: seconds that the engine may be silent, now and in each later call. Raises HarnessError (12) with the
    reason: the libraries are not installed, no engine, no permission, no answer, the host cannot be reached.
    """
    try:
        import docker
    except ImportError:
        raise HarnessError("Docker's libraries are not installed: install the extra [docker]") from None
    address = _address()
    try:
        _knock(address, within)
        return docker.from_env(timeout=within)
    except Exception as error:  # noqa: BLE001 - a broken context or certificate raises nearly anything
        raise HarnessError(_unreachable(error, plain(address or _DEFAULT), within)) from None


def is_local(client: "docker.DockerClient") -> bool:
    """Whether the engine is reached through a socket of this machine."""
    return str(client.api.base_url) == "http+docker://localhost"


def socket_of(client: "docker.DockerClient") -> str:
    """The address of a local engine."""
    return f"unix://{client.api.get_adapter(client.api.base_url).socket_path}"


class EngineLost(HarnessError):
    """The engine did not answer at all: asking it more takes time and brings nothing."""


@contextlib.contextmanager
def asked(what: str) -> Iterator[None]:
    """Turn the failure of one call into a HarnessError (12): ``what`` was asked, and what the engine answered; into
    EngineLost when it did not answer.

    What a caller handles itself, such as docker.errors.NotFound, it catches inside.
    """
    from docker.errors import DockerException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (DockerException, HTTPError, OSError) as error:  # requests' errors are OSErrors
        raise (EngineLost if _lost(error) else HarnessError)(f"Docker: {what}: {reason(error)}") from None


def _lost(error: BaseException) -> bool:
    """Whether a call failed because nobody answered: neither an answer, however empty, nor a refusal of docker-py's."""
    from docker.errors import APIError
    from urllib3.exceptions import HTTPError

    chain = list(_chain(error))  # requests' errors have urllib3's inside
    answered = any(isinstance(cause, APIError) for cause in chain)
    return not answered and any(isinstance(cause, HTTPError | ConnectionError | TimeoutError) for cause in chain)


def reason(error: BaseException) -> str:
    """What a failed call says, on one line: the engine's own words where it answered."""
    explanation = getattr(error, "explanation", None)
    if explanation:
        return plain(str(explanation))
    chain = list(_chain(error))
    if _timed_out(chain):
        return "the engine does not answer"
    for cause in reversed(chain):
        if isinstance(cause, OSError) and cause.strerror:
            return f"no connection to the engine: {cause.strerror}"
    return plain(str(error) or type(error).__name__)


def plain(text: str, limit: int = _SHOWN) -> str:
    """Words of the engine on one line: no control characters, no credentials, at most ``limit`` characters."""
    line = redact(" ".join(text.split()))
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


@dataclass(frozen=True, slots=True)
class Engine:
    """What an engine says of itself. ``memory`` is in bytes; ``cannot`` lists the limits that it does not enforce."""

    version: str
    api: str
    storage: str
    cgroup: str
    rootless: bool
    cores: int
    memory: int
    cannot: tuple[str, ...]


def engine_of(client: "docker.DockerClient") -> Engine:
    """Ask the engine what it is. Raises HarnessError."""
    with asked("what engine it is"):
        info: Any = client.api.info()
        version: Any = client.api.version(api_version=False)
    info, version = _table(info), _table(version)
    limits = {"MemoryLimit": "memory", "CpuCfsQuota": "cpus", "CPUSet": "cpu sets", "PidsLimit": "processes"}
    return Engine(
        version=plain(str(info.get("ServerVersion") or "unknown")),
        api=plain(str(version.get("ApiVersion") or "unknown")),
        storage=plain(str(info.get("Driver") or "unknown")),
        cgroup=plain(str(info.get("CgroupVersion") or "1")),  # named since API 1.41, where 2 came
        rootless="name=rootless" in _list(info.get("SecurityOptions")),
        cores=_whole(info.get("NCPU")),
        memory=_whole(info.get("MemTotal")),
        cannot=tuple(name for key, name in limits.items() if info.get(key) is False),
    )


def images_here(client: "docker.DockerClient", names: Sequence[str]) -> dict[str, bool]:
    """Which of the images ``names`` the engine has, by tag, digest or id. Raises HarnessError."""
    from docker.errors import APIError

    here = {}
    for name in dict.fromkeys(names):
        with asked(f"whether it has the image {plain(name)}"):
            try:
                client.api.inspect_image(name)
                here[name] = True
            except APIError as error:
                if error.status_code not in (400, 404):  # 400: no image can have such a name
                    raise
                here[name] = False
    return here


def _table(node: object) -> dict[Any, Any]:
    return node if isinstance(node, dict) else {}


def _list(node: object) -> list[Any]:
    return node if isinstance(node, list) else []


def _whole(node: object) -> int:
    return node if isinstance(node, int) else 0


def _unreachable(error: BaseException, address: str, within: float) -> str:
    """Why there is no client, and what helps."""
    chain = list(_chain(error))
    codes = {cause.errno for cause in chain if isinstance(cause, OSError)}
    if _timed_out(chain):
        return f"the Docker engine at {address} does not answer within {within:g} s"
    if address.startswith("unix:"):
        if codes & {errno.EACCES, errno.EPERM}:
            return f"no permission for Docker's socket {address}: is this user in the group docker?"
        if errno.ENOENT in codes:
            return f"no Docker engine: {address} does not exist; is Docker installed and started?"
        if errno.ECONNREFUSED in codes:
            return f"no Docker engine: nothing answers at {address}; is it started?"
    unresolved = next((cause for cause in chain if isinstance(cause, socket.gaierror)), None)
    if unresolved is not None:
        return f"the Docker host {address} cannot be reached: {unresolved.strerror}"
    lost = next((cause for cause in chain if isinstance(cause, OSError) and cause.strerror), None)
    if lost is not None:
        return f"the Docker engine at {address} cannot be reached: {lost.strerror}"
    said = next((cause for cause in chain if getattr(cause, "explanation", None)), error)
    status = getattr(said, "status_code", None)
    answer = f"answers {status}: " if status else "cannot be asked: "
    return f"the Docker engine at {address} {answer}{reason(said)}"


def _timed_out(chain: Iterable[BaseException]) -> bool:
    return any(isinstance(cause, TimeoutError | BlockingIOError) for cause in chain)  # blocking: its queue is full


def _chain(error: BaseException) -> Iterator[BaseException]:
    """``error`` and all that led to it; the libraries put causes into arguments too."""
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        cause = left.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            left += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]


def _address() -> str | None:
    """Where the engine is looked for; None when Docker's context cannot be read."""
    host: object = os.environ.get("DOCKER_HOST")
    if not host:
        import docker

        try:
            host = docker.ContextAPI.kwargs_from_context(environment=os.environ).get("base_url")
        except Exception:  # noqa: BLE001 - bare exceptions; the client raises the same and is asked next
            return None
    return str(host or _DEFAULT).replace("http+unix://", "unix://")


def _knock(address: str | None, within: float) -> None:
    """Connect to a local socket ourselves: docker-py leaves its own open when that fails. Raises OSError."""
    if address is None or not address.startswith("unix://"):
        return
    with socket.socket(socket.AF_UNIX) as knocking:
        knocking.settimeout(within)
        knocking.connect("/" + address.removeprefix("unix://").lstrip("/"))
