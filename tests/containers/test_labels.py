"""An owner is alive or gone, as the kernel says - and alive when it cannot be known."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from harness.containers import labels as module
from harness.containers.labels import OWNER, SESSION, Owner, labels
from tests.containers.conftest import Program

TOKEN = "0123456789abcdef" * 2


def test_this_process_is_alive_and_its_label_says_who_it_is() -> None:
    here = Owner.here()
    assert here.alive()
    assert here.pid == os.getpid()
    assert Owner.parse(str(here)) == here
    assert labels(TOKEN) == {SESSION: TOKEN, OWNER: str(here)}


def test_a_process_is_alive_until_it_is_killed(program: Program) -> None:
    process, owner = program()
    assert owner.pid == process.pid
    assert owner.alive()
    process.kill()
    process.wait()
    assert not owner.alive()


def test_a_process_that_ended_and_whose_exit_code_nobody_took_is_gone(program: Program) -> None:
    process, owner = program()
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    assert not owner.alive()


def test_another_process_with_the_number_is_not_the_owner(living: Owner) -> None:
    assert not replace(living, start=living.start - 1).alive()


def test_after_a_reboot_the_owner_is_gone_unless_it_may_be_on_another_machine(living: Owner) -> None:
    elsewhere = replace(living, boot="00000000-0000-0000-0000-000000000000")
    assert not elsewhere.alive()
    assert elsewhere.alive(local=False)


def test_an_owner_whose_numbers_count_in_another_container_may_be_alive(dead: Owner) -> None:
    assert not dead.alive()
    assert replace(dead, namespace=dead.namespace + 1).alive()


def test_a_process_that_proc_hides_may_be_alive(living: Owner, dead: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_stat", lambda _pid: None)  # a /proc mounted with hidepid=2, another user's process
    assert living.alive()
    assert not dead.alive()


def test_without_proc_nobody_is_gone_and_nobody_can_own(dead: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_boot", lambda: None)
    assert dead.alive()
    with pytest.raises(module.HarnessError, match="Linux"):
        Owner.here()


def test_a_process_may_call_itself_anything() -> None:
    code = (
        "from pathlib import Path; Path('/proc/self/comm').write_text(') Z 1 (\\n')\n"
        "from harness.containers.labels import Owner; print(Owner.here(), Owner.here().alive())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith(" True\n")


GOOD = "629d4cc4-8c85-4ac1-bf8f-454a3fa13860/2151/2337763/4026531836"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "harness",
        GOOD + "/1",
        GOOD + "\n",
        " " + GOOD,
        GOOD.replace("2151", "0"),
        GOOD.replace("2151", "-1"),
        GOOD.replace("2151", "1" * 11),
        GOOD.replace("2151", "２１"),
        GOOD.replace("629d", "\x1b[31m"),
        GOOD.rpartition("/")[0],
    ],
)
def test_a_label_that_we_do_not_write_names_no_owner(text: str) -> None:
    assert Owner.parse(GOOD) is not None
    assert Owner.parse(text) is None


@pytest.mark.parametrize("token", ["", "abc", "x" * 32, TOKEN + "\n", TOKEN.upper()])
def test_a_session_has_a_token_that_no_other_can_have(token: str) -> None:
    with pytest.raises(ValueError, match="16 to 64 hexadecimal digits"):
        labels(token)
