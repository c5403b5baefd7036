"""``harness claims check`` as a user types it: sessions, exit codes, the page, and one line for what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.cli import main as harness
from harness.files.runfile import write_run
from harness.model import INJECTED, Run, Sample
from tests.judge.build import CALLS, TIME, noise, run, sample

N = 16
CLAIM = '[[claim]]\nid = "{id}"\nwhere = "W"\nstatement = "It is {id}."\nchecks = [{check}]\n'
CHECKS = {
    "supported": '{ metric = "s:time", change = "-40 %" }',
    "refuted": '{ metric = "s:time", change = "-80 %" }',
    "undecided": '{ metric = "s:time", after = ">= 0.6" }',
    "absent": '{ metric = "s:nothing", after = 1 }',
    "elsewhere": '{ metric = "s:calls", before = 11 }',
}


@dataclass(frozen=True)
class Done:
    code: object
    out: str
    errors: str


Command = Callable[..., Done]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``harness claims check ARGUMENTS`` in a folder without a project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> Done:
        monkeypatch.setattr("sys.argv", ["harness", "claims", "check", *arguments])
        with pytest.raises(SystemExit) as ended:
            harness()
        return Done(ended.value.code, *capsys.readouterr())

    return call


def claims(folder: Path, *names: str) -> str:
    text = "".join(CLAIM.format(id=name, check=CHECKS[name]) for name in names)
    (folder / "claims.toml").write_text(f'title = "T"\n{text}', "utf-8")
    return "claims.toml"


def save(folder: Path, before: Run, after: Run) -> str:
    folder.mkdir(parents=True)
    for one in (before, after):
        write_run(one, folder / f"{one.variant.name}.json")
    return str(folder)


def faster() -> tuple[Sample, Sample]:
    return sample(TIME, noise(1, N)), sample(TIME, [0.6 * value for value in noise(2, N)])


@pytest.fixture
def session(tmp_path: Path) -> str:
    before, after = faster()
    return save(tmp_path / "measured", run("before", before), run("after", after))


@pytest.mark.parametrize(
    ("names", "options", "code"),
    [
        (("supported",), (), 0),
        (("supported", "undecided"), (), 0),
        (("supported", "undecided"), ("--strict",), 11),
        (("supported", "refuted"), (), 10),
        (("supported", "refuted"), ("--no-gate",), 0),
        (("supported", "absent"), (), 13),
        (("refuted", "absent"), ("--strict", "--no-gate"), 0),
    ],
)
def test_exit_codes(
    command: Command, session: str, tmp_path: Path, names: tuple[str, ...], options: tuple[str, ...], code: int
) -> None:
    done = command(claims(tmp_path, *names), "--session", session, *options)
    assert (done.code, done.errors) == (code, "")
    for name in names:
        verdict = name if name in ("supported", "refuted") else "not measured"
        assert f"{verdict} It is {name}." in done.out


def test_the_page_names_the_command_that_makes_it_again(command: Command, session: str, tmp_path: Path) -> None:
    done = command(claims(tmp_path, "supported"), "--session", session, "--output", "page.md")
    page = (tmp_path / "page.md").read_text("utf-8")
    assert done.out.endswith("page.md\n")
    assert "    harness claims check claims.toml --session one --output page.md\n" in page
    assert "**1 supported · 0 refuted · 0 not measured, of 1 claim.**" in page
    assert str(tmp_path) not in page


def test_several_sessions_complete_each_other(command: Command, session: str, tmp_path: Path) -> None:
    calls = [run(side, sample(CALLS, [11] * N), session="two") for side in ("before", "after")]  # type: ignore[arg-type]
    other = save(tmp_path / "other", *calls)
    file = claims(tmp_path, "supported", "elsewhere")
    assert command(file, "--session", session).code == 13
    done = command(file, "--session", session, "--session", other)
    assert done.code == 0
    assert "n 16, exact, B" in done.out


def test_the_latest_session_of_the_project_is_the_default(command: Command, tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(
        '[system.services.backend]\ncommand = ["true"]\nready = "/"\n[system.variants.before]\n', "utf-8"
    )
    file = claims(tmp_path, "supported")
    assert command(file).code == 13
    before, after = faster()
    name = "20260101T000000Z-0123abcd"
    save(tmp_path / "reports" / "out" / name, run("before", before), run("after", after))
    (tmp_path / "reports" / "out" / "latest").symlink_to(name)
    assert (command(file).code, command(file, "--session", name).code) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere.toml",), 4, "nowhere.toml: cannot be read"),
        (("claims.toml",), 4, "no configuration: neither harness.toml nor pyproject.toml"),
        (("claims.toml", "--session", "nowhere"), 4, "no configuration"),
        (("claims.toml", "--session", "measured", "--output", "no/such/folder.md"), 14, "folder.md"),
    ],
)
def test_what_is_wrong_is_one_line(
    command: Command, session: str, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    claims(tmp_path, "supported")
    done = command(*arguments)
    assert done.code == code
    assert said in done.errors
    assert done.errors.startswith("harness: ")
    assert done.errors.count("\n") == 1


def test_a_mistake_in_the_file_is_told_before_a_session_is_looked_for(command: Command, tmp_path: Path) -> None:
    (tmp_path / "claims.toml").write_text('title = "T"\n[[claim]]\nid = "a"\n', "utf-8")
    done = command("claims.toml")
    assert done.code == 4
    assert 'claims.toml: claim "a": where: missing' in done.errors


def test_a_run_that_was_slowed_down_on_purpose_is_no_evidence(command: Command, tmp_path: Path) -> None:
    before, after = (run(side, one) for side, one in zip(("before", "after"), faster(), strict=True))  # type: ignore[arg-type]
    folder = save(tmp_path / "slowed", before, replace(after, notes=(f"{INJECTED}slowed",)))
    done = command(claims(tmp_path, "supported"), "--session", folder)
    assert done.code == 13
    assert "slowed down on purpose" in done.errors
