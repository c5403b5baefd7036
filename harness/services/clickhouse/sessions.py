"""Sessions: handles that belong to one client and keep its settings and temporary tables between requests."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.services.clickhouse.engine import Handle, Profile
from harness.services.clickhouse.failure import failure
from harness.services.clickhouse.statements import literal


@dataclass(slots=True)
class _Session:
    handle: Handle
    profile: Profile = field(default_factory=Profile)
    customised: bool = False
    """A SET statement ran: settings may differ from their defaults beyond the profile."""
    originals: dict[str, str] = field(default_factory=dict)
    """What the settings of the last request were before it, as ``Handle.assign`` takes them."""
    busy: bool = True
    expires: float = 0.0
    """Monotonic seconds."""


class Sessions:
    """All sessions, by the id that the client drew."""

    def __init__(self, open_handle: Callable[[], Handle]) -> None:
        self._open_handle = open_handle
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    @contextmanager
    def lease(
        self, session_id: str, profile: Profile, *, timeout: float, must_exist: bool, customises: bool
    ) -> Iterator[Handle]:
        """The handle of a session for one request; made at its first one, dropped ``timeout`` seconds after its last.

        ``customises`` announces a SET statement.

        Raises ``ClickHouseError``: 373 while another request of the session runs, 372 when a session that
        ``must_exist`` does not.
        """
        session = self._claim(session_id, must_exist=must_exist)
        try:
            _adapt(session, profile)
            session.customised = session.customised or customises
            yield session.handle
        finally:
            session.expires = time.monotonic() + timeout
            session.busy = False

    def close(self) -> None:
        """Drop all sessions. No request may be running."""
        with self._lock:
            sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            session.handle.close()

    def _claim(self, session_id: str, *, must_exist: bool) -> _Session:
        with self._lock:
            self._drop_expired()
            session = self._sessions.get(session_id)
            if session is None:
                if must_exist:
                    raise failure(372, "Session not found.")
                session = self._sessions[session_id] = _Session(self._open_handle())
            elif session.busy:
                raise failure(373, f"Session {session_id} is locked by a concurrent client.")
            session.busy = True
            return session

    def _drop_expired(self) -> None:
        now = time.monotonic()
        for session_id, session in list(self._sessions.items()):
            if not session.busy and session.expires < now:
                self._sessions.pop(session_id).handle.close()


def _adapt(session: _Session, profile: Profile) -> None:
    """A request's settings live as long as the request: set them, and put back those of the request before."""
    previous, handle = session.profile, session.handle
    if profile.settings != previous.settings:
        wanted, had = dict(profile.settings), dict(previous.settings)
        unknown = wanted.keys() - session.originals.keys()
        known = handle.literals(unknown) if unknown and session.customised else dict.fromkeys(unknown, "DEFAULT")
        originals = session.originals | known
        restored = {name: originals.get(name, "DEFAULT") for name in had.keys() - wanted.keys()}
        changed = {name: literal(value) for name, value in wanted.items() if had.get(name) != value}
        handle.assign(restored | changed)
        session.originals = {name: value for name, value in originals.items() if name in wanted}
        session.profile = Profile(previous.database, profile.settings)
    if profile.database != previous.database:
        handle.use(profile.database)
        session.profile = profile
