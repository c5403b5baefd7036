"""The provider as a program: how it starts, how it stops, and what it says of a mistake."""

import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness import marks
from harness.errors import ExitCode
from tests.services.llm_process import BOUND, command, raw_chat, started, until


def test_it_stops_in_order_even_with_hanging_calls() -> None:
    with started() as running:
        with running.connect() as connection, running.connect() as slow:
            connection.sendall(raw_chat("hang"))
            slow.sendall(raw_chat('{"slow_body": {"seconds": 3600, "chunks": 2}}'))
            until(lambda: len(running.calls()) == 2)
            running.process.send_signal(signal.SIGTERM)
            output, errors = running.process.communicate(timeout=BOUND)
        assert (running.process.returncode, errors) == (ExitCode.OK, "")
        seen = [marks.parse(line) for line in output.splitlines()]
        assert [mark and mark[0] for mark in seen] == ["exec", "imported", "listening", "ready"]
        times = [mark[1] for mark in seen if mark]
        assert times == sorted(times)


def test_it_starts_with_a_script_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text('{"steps": ["429"], "then": "503"}')
    with started("--script", str(file)) as running:
        assert [running.chat().status_code for _ in range(3)] == [429, 503, 503]


def refused(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=BOUND, check=False)
    return done.returncode, done.stderr


def test_a_port_in_use_is_one_line_and_its_exit_code() -> None:
    with started() as running:
        code, errors = refused("--port", str(running.port))
    assert code == ExitCode.ENVIRONMENT
    assert re.fullmatch(rf"llm: cannot listen on 127\.0\.0\.1:{running.port}: .*in use.*\n", errors)


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        ((), "--port"),
        (("--port", "65536"), "'65536' is no port; allowed: 0 to 65535"),
        (("--port", "0", "--sript", "x"), "unrecognized arguments: --sript x"),
        (("--port", "0", "--script", "/does/not/exist"), "cannot read script /does/not/exist: No such file"),
        (("--port", "0", "--script", "/dev/zero"), "script /dev/zero: larger than 1048576 bytes"),
        (("--port", "0", "--script", "a\x1b[31m\nb"), "cannot read script a?[31m?b: No such file"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_4(arguments: tuple[str, ...], mistake: str) -> None:
    code, errors = refused(*arguments)
    assert code == ExitCode.USAGE
    assert errors.startswith("llm: ")
    assert errors.count("\n") == 1
    assert mistake in errors


def test_a_wrong_script_file_is_named_with_the_position(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text('{"steps": ["ok", "no"]}')
    code, errors = refused("--port", "0", "--script", str(file))
    assert code == ExitCode.USAGE
    assert errors.startswith(f'llm: {file}: steps[1]: found "no"; allowed: ok,')
