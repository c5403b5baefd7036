"""What the configuration has to say of a system that is tuned, and what a user is told about a mistake in it."""

import json
from pathlib import Path

import pytest

from harness.configuration.load import Project, load
from harness.errors import ExitCode, HarnessError
from harness.tune.measuring import Plan
from harness.tune.retry import Asked, tune
from harness.tune.subject import filled

SYSTEM = """
[system.services.backend]
command = ["run"]
ready = "/"
[system.services.llm]
command = ["run"]
ready = "/"
[system.variants.before.backend.settings]
TRIES = 3
BASE = 1
FACTOR = 2
CAP = 30
LIMIT = 60
[system.variants.after.backend.settings]
TRIES = 2
BASE = 0.5
FACTOR = 1.5
CAP = 15
LIMIT = 30
[system.tune.retry]
service = "backend"
provider = "llm"
path = "/ask"
mix = "500=0.2"
settings = { attempts = "TRIES", base = "BASE", factor = "FACTOR", cap = "CAP", timeout = "LIMIT" }
"""


def project(folder: Path, text: str) -> Project:
    (folder / "harness.toml").write_text(text, "utf-8")
    return load(folder / "harness.toml")


def search(folder: Path, text: str = SYSTEM, *, confirm: int = 0, scale: float = 1.0) -> object:
    plan = Plan(confirm, 1, 1, folder, lambda _: None)
    return tune(project(folder, text), Asked(None, 5, scale), plan)


@pytest.mark.parametrize(
    ("found", "instead", "says"),
    [
        ('service = "backend"', 'service = "backup"', "tune.retry.service: no service 'backup'"),
        ('provider = "llm"', 'provider = "lmm"', "tune.retry.provider: no service 'lmm'"),
        ('path = "/ask"', 'paht = "/ask"', "tune.retry.paht: unknown key; did you mean path?"),
        ('attempts = "TRIES"', 'attempts = "T RIES"', "tune.retry.settings.attempts: string should match"),
        ("TRIES = 3\n", "", "variants.before.backend.settings.TRIES: missing"),
        ("LIMIT = 30\n", 'LIMIT = "soon"\n', "variants.after.backend.settings.LIMIT: found 'soon', a number is needed"),
    ],
)
def test_a_mistake_is_told_in_a_line(tmp_path: Path, found: str, instead: str, says: str) -> None:
    assert found in SYSTEM
    with pytest.raises(HarnessError, match=r"tune|variants") as raised:
        search(tmp_path, SYSTEM.replace(found, instead, 1))
    assert raised.value.code is ExitCode.USAGE
    assert any(says in line for line in str(raised.value).splitlines())


def test_what_cannot_be_shortened_is_not(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="names no setting that shortens waits"):
        search(tmp_path, confirm=1, scale=0.1)


def test_jitter_is_searched_where_there_are_settings_for_it(tmp_path: Path) -> None:
    names = 'timeout = "LIMIT", jitter_low = "LOW", jitter_high = "HIGH" }'
    text = SYSTEM.replace('timeout = "LIMIT" }', names).replace("LIMIT =", "LOW = 0.1\nHIGH = 0.3\nLIMIT =")
    searched = search(tmp_path, text)
    assert {candidate.settings["HIGH"] for candidate in searched.search.tried} == {"0.0", "0.3", "1.0"}
    assert "not searched" not in " ".join(searched.notes)
    assert "jitter 0 to 0, not searched" in " ".join(search(tmp_path).notes)


def test_a_body_is_filled_in_its_texts(tmp_path: Path) -> None:
    body = {"sql": "SELECT {key}, '{other}'", "limit": 3}
    assert json.loads(filled(body, key=7)) == {"sql": "SELECT 7, '{other}'", "limit": 3}
