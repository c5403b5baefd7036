"""What a dead harness left is removed; what belongs to anybody else stays."""

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.containers import sweep
from harness.containers.engine import connect
from harness.containers.labels import Owner
from harness.containers.sweep import Leftover, command, leftovers, main, ours, remove, remove_all, sweep_dead
from harness.errors import ExitCode, HarnessError
from tests.containers.conftest import Things, is_there
from tests.containers.daemons import answering, forwarding_tcp, silent

MISSING = "unix:///nonexistent/docker.sock"


def test_what_a_dead_owner_left_is_removed_and_told(docker_engine: Any, things: Things, dead: Owner) -> None:
    network, volume = things.network(dead), things.volume(dead)
    created = things.container(dead, name=f"before-after-test-{os.urandom(4).hex()}")
    running = things.running(
        dead, network=network.name, mounts=[{"Target": "/data", "Source": volume.name, "Type": "volume"}]
    )
    lines = sweep_dead(docker_engine)
    assert not any(map(is_there, (created, running, network, volume)))
    names = [
        *(f"container {container.name}" for container in (created, running)),
        f"network {network.name}",
        f"volume {volume.name}",
    ]
    whose = f"(just made), left by a harness that is gone (process {dead.pid})"
    assert sorted(lines) == sorted(f"removed {name} {whose}" for name in names)


def test_what_belongs_to_anybody_else_stays(docker_engine: Any, things: Things, living: Owner, dead: Owner) -> None:
    in_another_container = replace(dead, namespace=dead.namespace + 1)
    kept = [
        *things.all_of(living),
        *things.all_of("a label of somebody else"),
        *things.all_of(in_another_container),
        things.running(living),
        things.container(None),
    ]
    left = things.container(dead)
    (line,) = sweep_dead(docker_engine)
    assert line.startswith(f"removed container {left.name} ")
    assert not is_there(left)
    assert all(map(is_there, kept))


def test_a_reboot_ends_owners_of_a_local_engine_alone(
    docker_engine: Any, things: Things, living: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = replace(living, boot="00000000-0000-0000-0000-000000000000")
    container = things.container(elsewhere)
    with forwarding_tcp(docker_engine.api._custom_adapter.socket_path) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with closing(connect(5)) as remote:
            assert container.id in [thing.id for thing in ours(remote)]
            assert container.id not in [thing.id for thing in leftovers(remote)]
            sweep_dead(remote)
    assert is_there(container)
    sweep_dead(docker_engine)
    assert not is_there(container)


def test_a_session_is_removed_whole_and_alone(docker_engine: Any, things: Things, living: Owner) -> None:
    network, volume = things.network(living), things.volume(living)
    container = things.running(living, network=network.name, mounts=[{"Target": "/data", "Type": "volume"}])
    (unnamed,) = (
        mount["Name"]
        for mount in container.attrs["Mounts"] or reloaded(container)["Mounts"]
        if mount["Type"] == "volume"
    )
    session, things.session = things.session, os.urandom(16).hex()
    others = things.all_of(living)
    removed = remove(docker_engine, session)
    assert [(thing.kind, thing.id) for thing in removed] == [
        ("container", container.id),
        ("network", network.id),
        ("volume", volume.name),
    ]
    assert not any(map(is_there, (container, network, volume)))
    assert unnamed not in [volume.name for volume in docker_engine.volumes.list()]
    assert all(map(is_there, others))
    assert remove(docker_engine, session) == []


def reloaded(container: Any) -> Any:
    container.reload()
    return container.attrs


def test_what_somebody_else_removes_meanwhile_is_no_failure(docker_engine: Any, things: Things, dead: Owner) -> None:
    made = [*things.all_of(dead), *(things.container(dead) for _ in range(8))]
    found = ours(docker_engine, things.session)
    assert len(found) == len(made)
    ends: list[list[tuple[Leftover, str]]] = []

    def work() -> None:
        with closing(connect()) as client:
            ends.append(list(remove_all(client, found)))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[why for _, why in end] for end in ends] == [[""] * len(made)] * 3
    assert not any(map(is_there, made))


def test_what_cannot_be_removed_is_named_and_the_rest_goes(
    docker_engine: Any, things: Things, dead: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_TRIES", 2)
    network, volume = things.network(dead), things.volume(dead)
    strange = things.running(None, network=network.name)
    with pytest.raises(HarnessError) as caught:
        remove(docker_engine, things.session)
    assert str(caught.value).startswith(f"Docker: cannot remove network {network.name}: ")
    assert "active endpoints" in str(caught.value)
    assert caught.value.code == ExitCode.ENVIRONMENT
    assert not is_there(volume)
    (line,) = [line for line in sweep_dead(docker_engine) if network.name in line]
    assert line.startswith(f"could not remove network {network.name} (just made)")
    assert is_there(strange)


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, "text", 7, [None], [[]], [{"Id": 7}], {"Volumes": 3}, [{"Id": "a" * 64, "Labels": []}]],
    ids=json.dumps,
)
def test_any_answer_is_read(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering({"/version": {"ApiVersion": "1.41"}, "": answer}) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with closing(connect(2)) as client:
            assert leftovers(client) == []


def test_names_are_shown_on_one_line_and_times_are_read(monkeypatch: pytest.MonkeyPatch, dead: Owner) -> None:
    labels = {"before-after.session": "ab" * 16, "before-after.owner": str(dead)}
    container = {"Id": "c" * 64, "Names": ["/\x1b[31m\nname " + "x" * 500], "Labels": labels, "Created": 10**20}
    network = {"Id": "n" * 64, "Name": "net", "Labels": labels, "Created": "2026-11-24T12:00:00.123456789+02:00"}
    volume = {"Name": "vol", "Labels": labels, "CreatedAt": "2026-11-24T10:00:00Z"}
    answers = {
        "/version": {"ApiVersion": "1.41"},
        "/containers/json": [container],
        "/networks": [network],
        "/volumes": {"Volumes": [volume]},
    }
    with answering(answers) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with closing(connect(2)) as client:
            first, second, third = leftovers(client)
    assert str(first).startswith(r"container \x1b[31m name xxx")
    assert len(str(first)) < 150
    noon = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
    assert [thing.age(noon) for thing in (first, second, third)] == ["of unknown age", "30 min old", "30 min old"]
    assert third.age(noon + timedelta(hours=2.6)) == "3 h old"
    assert third.age(noon + timedelta(days=9)) == "9 days old"
    assert third.age(noon - timedelta(days=9)) == "just made"


# --- the program that the watchdog runs


def start(argv: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        argv,
        env=dict(os.environ) | environment,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_program_removes_what_comes_late_and_says_nothing(session_things: Things, dead: Owner) -> None:
    made = session_things.all_of(dead)
    process = start([sys.executable, "-P", "-m", "harness.containers.sweep", session_things.session])
    deadline = time.monotonic() + 20
    while any(map(is_there, made)) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(sweep.QUIET_SECONDS * 0.6)
    late = session_things.all_of(dead)
    out, err = process.communicate(timeout=50)
    assert (process.returncode, out, err) == (0, "", "")
    assert not any(map(is_there, [*made, *late]))


def test_a_harness_that_waits_does_not_wait_long(docker_engine: Any, session_things: Things) -> None:
    made = session_things.all_of(Owner.here())
    start_time = time.monotonic()
    process = start(command(session_things.session))
    out, err = process.communicate(timeout=50)
    assert (process.returncode, out, err) == (0, "", "")
    assert not any(map(is_there, made))
    assert time.monotonic() - start_time < 3 * sweep.QUIET_SECONDS


def test_a_checkout_that_is_not_installed_is_found(session_things: Things, tmp_path: Path) -> None:
    """-S -P: no site-packages, so nothing but the path in the command leads to the package."""
    argv = command(session_things.session)
    argv[1:2] = ["-P", "-S", "-X", "importtime"]
    process = start(argv)
    _, err = process.communicate(timeout=50)
    assert "harness.containers.labels" in err


def test_without_an_engine_one_line_says_so_while_a_harness_waits(session_things: Things) -> None:
    process = start(command(session_things.session), DOCKER_HOST=MISSING)
    out, err = process.communicate(timeout=20)
    assert process.returncode == ExitCode.ENVIRONMENT
    assert out == ""
    assert err == (
        f"harness: containers of session {session_things.session[:8]} may be left (no Docker engine: {MISSING} does "
        "not exist; is Docker installed and started?); harness doctor --clean removes them later\n"
    )


def test_a_hanging_engine_ends_the_program_in_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweep, "TOTAL_SECONDS", 1.0)
    with silent() as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        begin = time.monotonic()
        assert main(["ab" * 16]) == ExitCode.ENVIRONMENT
    assert time.monotonic() - begin < 5
    assert capsys.readouterr().err.startswith("harness: containers of session abababab may be left (the engine took ")


@pytest.mark.parametrize("arguments", [[], [""], ["x"], ["before-after.session"]], ids=str)
def test_only_a_session_is_removed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitCode.USAGE
    assert capsys.readouterr().err == "usage: python -m harness.containers.sweep SESSION [OWNER]\n"


# --- a harness that is killed while it works

HARNESS = textwrap.dedent("""
    import sys, threading, time
    import docker
    from harness.containers.labels import labels
    from harness.containers.sweep import command
    from harness.measure.watchdog import Watchdog

    session, folder, image = sys.argv[1:]
    dog = Watchdog()
    dog.folder(folder)
    dog.at_end(command(session))

    def work():
        client = docker.from_env()
        client.networks.create("before-after-test", labels=labels(session))  # one each: an engine has some 30 to give
        while True:
            client.volumes.create(labels=labels(session))
            client.containers.create(image, labels=labels(session))

    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    print("working", flush=True)
    time.sleep(600)
""")


@pytest.mark.parametrize("delay", [0.0, 0.3, 0.7])
def test_nothing_stays_of_a_harness_that_is_killed_while_it_creates(
    delay: float, docker_engine: Any, session_things: Things, empty_image: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    process = start([sys.executable, "-c", HARNESS, session_things.session, str(data), empty_image])
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        time.sleep(delay)
    finally:
        process.kill()
        process.wait()
    deadline = time.monotonic() + 10 + sweep.QUIET_SECONDS
    while data.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not data.exists(), "the watchdog did not come to its end"
    assert ours(docker_engine, session_things.session) == []
    process.communicate()
