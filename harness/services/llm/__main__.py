"""``python -m harness.services.llm``: run the provider."""

import sys

from harness import marks


def main() -> int:
    """Serve until told to stop; the exit code."""
    marks.emit("exec")
    # Imported after the mark: loading asyncio is most of the start.
    from harness.services.llm.server import run

    marks.emit("imported")
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
