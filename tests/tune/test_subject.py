"""What the configuration has to say of a system that is tuned, and what a user is told about a mistake in it."""

import json
import time
from pathlib import Path

import pytest

from harness.configuration.load import Project, load
from harness.errors import ExitCode, HarnessError
from harness.measure.http import Response
from harness.tune import cache, pool
from harness.tune.cache_model import Access
from harness.tune.measuring import Plan
from harness.tune.retry import Asked, tune
from harness.tune.subject import fields_of, filled, written

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
        ("LIMIT = 30\n", 'LIMIT = "soon"\n', "variants.after.backend.settings.LIMIT: found 'soon', a number from 0 on"),
        ("LIMIT = 30\n", 'LIMIT = "nan"\n', "settings.LIMIT: found 'nan', a number from 0 on is needed"),
        ("BASE = 1\n", "BASE = -1\n", "settings.BASE: found '-1', a number from 0 on is needed"),
        ("TRIES = 3\n", "TRIES = 21\n", "settings.TRIES: found 21, a whole number from 1 to 20 is needed"),
        ('mix = "500=0.2"', 'mix = ""\njitter = [0.3, 0.1]', "variants: jitter of before: 0.3 to 0.1"),
        ("TRIES = 3\n", "TRIES = 0\n", "settings.TRIES: found 0, a whole number from 1 to 20 is needed"),
        ("TRIES = 3\n", "TRIES = 2.5\n", "settings.TRIES: found 2.5, a whole number from 1 to 20 is needed"),
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
    assert {candidate.settings["HIGH"] for candidate in searched.search.tried} == {"0", "0.3", "1"}
    assert "not searched" not in " ".join(searched.notes)
    assert "jitter 0 to 0, not searched" in " ".join(search(tmp_path).notes)


def test_a_schedule_of_the_most_attempts_is_predicted(tmp_path: Path) -> None:
    text = SYSTEM.replace("TRIES = 3", "TRIES = 20").replace('mix = "500=0.2"', 'mix = "hang=1"')
    before = search(tmp_path, text).search.current[0]
    assert (before.predicted["attempts"], before.predicted["answered"]) == (20, 0)


POOL = """
[system.tune.pool]
service = "backend"
path = "/ask"
size = "POOL"
default = 5
[system.tune.cache]
service = "backend"
path = "/ask"
ttl = "TTL"
default = 300
hit = "hit"
"""


def test_a_pool_of_no_connection_and_queries_too_long_to_be_measured_are_mistakes(tmp_path: Path) -> None:
    none = project(tmp_path, SYSTEM.replace("TRIES = 3", "TRIES = 3\nPOOL = 0") + POOL)
    with pytest.raises(HarnessError, match=r"settings\.POOL: found 0, a whole number from 1") as raised:
        pool.tune(none, pool.Asked(5, 0.2, 0.2, 1.0), Plan(0, 1, 1, tmp_path, lambda _: None))
    assert raised.value.code is ExitCode.USAGE
    fine = project(tmp_path, SYSTEM + POOL)
    long = pool.Asked(5, 2.0, 0.2, 1.0)
    with pytest.raises(HarnessError, match=r"--service: at most 0.5 s can be measured"):
        pool.tune(fine, long, Plan(1, 1, 1, tmp_path, lambda _: None))
    assert pool.tune(fine, long, Plan(0, 1, 1, tmp_path, lambda _: None)).search.tried


class Slow:
    """A service with a cache that never answers in less than 20 ms."""

    def request(self, *_: object) -> Response:
        time.sleep(0.02)
        return Response(200, {}, b'{"hit": false}')


def test_a_cache_that_cannot_be_asked_as_often_as_drawn_is_no_measurement(tmp_path: Path) -> None:
    asked = cache.Asked(Access(1.0, 5, 1.0), 100.0, 0.01)  # 100 a second: each has 10 ms
    subject = project(tmp_path, SYSTEM + POOL).system.tune.cache
    with pytest.raises(HarnessError, match=r"invalid: /ask could not be asked as often .* --scale"):
        cache.CacheTrial(subject, [300.0], asked, 1)(None, Slow(), 0, 0)
    none = cache.Asked(Access(1e-6, 5, 1.0), 1.0, 0.01)
    with pytest.raises(HarnessError, match="no request was drawn"):
        cache.CacheTrial(subject, [300.0], none, 1)(None, Slow(), 0, 0)


def test_whole_numbers_are_written_without_a_point(tmp_path: Path) -> None:
    assert [written(value) for value in (5.0, 0.0, 0.5, 1e-05)] == ["5", "0", "0.5", "1e-05"]
    assert {c.settings["CAP"] for c in search(tmp_path).search.tried} == {"5", "15", "30"}


@pytest.mark.parametrize(("status", "body"), [(200, b"[1]"), (200, b"3"), (200, b"<html>"), (503, b"{}")])
def test_an_answer_that_is_no_object_is_told(status: int, body: bytes) -> None:
    with pytest.raises(HarnessError, match=r"/ask answers (200|503)|answer is not JSON"):
        fields_of(Response(status, {}, body), "/ask")
    assert fields_of(Response(200, {}, b'{"hit": true}'), "/ask") == {"hit": True}


def test_a_body_is_filled_in_its_texts(tmp_path: Path) -> None:
    body = {"sql": "SELECT {key}, '{other}'", "limit": 3}
    assert json.loads(filled(body, key=7)) == {"sql": "SELECT 7, '{other}'", "limit": 3}
