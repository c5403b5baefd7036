"""Real git repositories for tests."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_AS = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false")


@dataclass(frozen=True)
class Repository:
    folder: Path

    @classmethod
    def create(cls, folder: Path, *options: str) -> "Repository":
        folder.mkdir(parents=True, exist_ok=True)
        repository = cls(folder)
        repository.git("init", "-q", "-b", "main", *options)
        return repository

    def git(self, *arguments: str, data: bytes = b"") -> str:
        return self.raw(*arguments, data=data).decode().strip()

    def raw(self, *arguments: str, data: bytes = b"") -> bytes:
        command = ["git", *_AS, "-C", str(self.folder), *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    def put(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def commit(self, message: str = "a commit") -> str:
        """Commit everything; its hash."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def state(self) -> dict[str, tuple[int, int]]:
        """Every file of the repository and of its working tree: when it was changed, and its size."""
        files = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in files}
