"""The program around the provider: arguments, listening, an orderly stop."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from harness import marks
from harness.errors import ExitCode, HarnessError
from harness.services.llm.http import BODY_LIMIT
from harness.services.llm.provider import Provider
from harness.services.llm.steps import Script, parse_script
from harness.services.llm.wire import listen


def run(arguments: Sequence[str]) -> ExitCode:
    """Serve until SIGTERM or SIGINT; a mistake or failure is one line on standard error and its exit code."""
    try:
        options = _parser().parse_args(arguments)
        script = Script() if options.script is None else _load(options.script)
        asyncio.run(_serve(options.host, options.port, script))
    except HarnessError as error:
        sys.stderr.write(f"llm: {_printable(str(error))}\n")
        return error.code
    return ExitCode.OK


async def _serve(host: str, port: int, script: Script) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        server = await listen(host, port, Provider(script).serve)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HarnessError(f"cannot listen on {host}:{port}: {reason}", ExitCode.ENVIRONMENT) from None
    marks.emit("listening")
    # For whoever asked for port 0. Not on standard output: that belongs to the marks.
    sys.stderr.write(f"llm: listening on http://{host}:{server.sockets[0].getsockname()[1]}\n")
    marks.emit("ready")
    await stop.wait()
    server.close()
    # asyncio.run cancels what is still being answered, so a hanging call does not delay the stop.


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise HarnessError(message, ExitCode.USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m harness.services.llm", description="A model provider that fails on a script.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, required=True, help="port to listen on; 0: any free one, see stderr")
    parser.add_argument("--script", type=Path, metavar="FILE", help="script to start with (default: every call is ok)")
    return parser


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; allowed: 0 to 65535")


def _load(path: Path) -> Script:
    try:
        with path.open("rb") as file:
            text = file.read(BODY_LIMIT + 1)
    except OSError as error:
        raise HarnessError(f"cannot read script {path}: {error.strerror}", ExitCode.USAGE) from None
    if len(text) > BODY_LIMIT:
        raise HarnessError(f"script {path}: larger than {BODY_LIMIT} bytes", ExitCode.USAGE)
    try:
        return parse_script(text)
    except HarnessError as error:
        raise HarnessError(f"{path}: {error}", error.code) from None


def _printable(text: str) -> str:
    """``text`` in one line without control characters: file names and arguments may hold any."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
