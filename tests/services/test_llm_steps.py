"""The grammar of scripts: what is understood, what is refused and how, what is reproducible."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ExitCode, HarnessError
from harness.services.llm.steps import (
    Chance,
    Garbage,
    Hang,
    Ok,
    Player,
    Reset,
    Script,
    SlowBody,
    SlowFirstByte,
    Status,
    Step,
    Truncated,
    parse_script,
    parse_step,
    parse_step_text,
    step_json,
)

SECONDS = st.floats(0, 3600) | st.integers(0, 3600)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.sampled_from([Ok(), Hang(), Reset(), Truncated(), Garbage()]),
    st.builds(Status, st.integers(400, 599), st.none() | SECONDS),
    st.builds(Hang, SECONDS),
    st.builds(SlowFirstByte, SECONDS),
    st.builds(SlowBody, SECONDS, st.integers(1, 10_000)),
)
ANY_STEPS = STEPS | st.builds(Chance, st.floats(0, 1), STEPS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["steps", "then", "seed", "status", "hang", "slow_body", "random", "share", "step"])
            | st.text(),
            inner,
            max_size=3,
        )
    ),
)


@pytest.mark.parametrize(
    ("value", "step"),
    [
        ("ok", Ok()),
        ("503", Status(503)),
        ({"status": 429}, Status(429)),
        ({"status": 429, "retry_after": 1.5}, Status(429, 1.5)),
        ("hang", Hang()),
        ({"hang": 2}, Hang(2)),
        ({"slow_first_byte": 0.9}, SlowFirstByte(0.9)),
        ({"slow_body": {"seconds": 1, "chunks": 10}}, SlowBody(1, 10)),
        ("reset", Reset()),
        ("truncated", Truncated()),
        ("garbage", Garbage()),
        ({"random": {"share": 0.2, "step": "500"}}, Chance(0.2, Status(500))),
    ],
)
def test_every_form_of_a_step_is_understood(value: object, step: Step | Chance) -> None:
    assert parse_step(value, "here") == step


@settings(deadline=None)
@given(ANY_STEPS)
def test_a_step_survives_the_way_through_json(step: Step | Chance) -> None:
    assert parse_step_text(_as_header(step), "here") == step


def _as_header(step: Step | Chance) -> str:
    value = step_json(step)
    return value if isinstance(value, str) else json.dumps(value)


def test_the_short_form_may_keep_its_quotation_marks() -> None:
    assert parse_step_text('"503"', "here") == Status(503)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            '{"steps": ["ok", "sometimes"]}',
            'steps[1]: found "sometimes"; allowed: ok, hang, reset, truncated, garbage,',
        ),
        ('{"steps": ["399"]}', "steps[0]: found 399; allowed: a whole number from 400 to 599"),
        ('{"steps": ["٤٢٩"]}', "steps[0]: found"),
        ('{"steps": [500]}', "steps[0]: found 500; allowed: ok,"),
        ('{"steps": "ok"}', 'steps: found "ok"; allowed: a list of steps'),
        ('{"then": {"status": true}}', "then.status: found true; allowed: a whole number from 400 to 599"),
        (
            '{"then": {"status": 429, "retry_afer": 1}}',
            'then: found "retry_afer"; allowed: the keys status, retry_after',
        ),
        ('{"then": {"hang": -1}}', "then.hang: found -1; allowed: a number from 0 to 3600"),
        ('{"then": {"hang": NaN}}', "then.hang: found NaN; allowed: a number from 0 to 3600"),
        ('{"then": {"slow_first_byte": 1e999}}', "then.slow_first_byte: found Infinity; allowed: a number"),
        ('{"then": {"slow_body": {"seconds": 1}}}', "then.slow_body: chunks is missing; needed are seconds, chunks"),
        ('{"then": {"slow_body": 3}}', "then.slow_body: found 3; allowed: an object with seconds, chunks"),
        ('{"then": {"slow_body": {"seconds": 1, "chunks": 0}}}', "then.slow_body.chunks: found 0; allowed: a whole"),
        ('{"steps": [{"random": {"share": 20, "step": "500"}}]}', "steps[0].random.share: found 20; allowed: a number"),
        (
            '{"then": {"random": {"share": 1, "step": {"random": {}}}}}',
            'then.random.step: found an object with "random"; allowed:',
        ),
        ('{"then": {}}', "then: found an empty object; allowed:"),
        ('{"then": ["ok"]}', "then: found a list; allowed:"),
        ('{"seed": -1}', "seed: found -1; allowed: a whole number from 0"),
        ('{"seed": true}', "seed: found true; allowed: a whole number from 0"),
        ('{"then": {"hang": true}}', "then.hang: found true; allowed: a number from 0 to 3600"),
        ('{"step": []}', 'script: found "step"; allowed: the keys steps, then, seed'),
        ("[]", "script: found a list; allowed: an object with steps, then, seed"),
        ("{", "script: not valid JSON: "),
        ("[" * 100_000, "script: nested too deeply"),
    ],
)
def test_a_mistake_is_named_with_its_position_and_what_is_allowed(text: str, mistake: str) -> None:
    with pytest.raises(HarnessError) as error:
        parse_script(text)
    assert str(error.value).startswith(mistake)
    assert error.value.code is ExitCode.USAGE


@settings(deadline=None)
@given(JSON.map(json.dumps) | st.text() | st.binary())
def test_whatever_comes_is_a_script_or_one_printable_line(text: str | bytes) -> None:
    refusal = _refusal(text)
    assert refusal.isprintable()
    assert len(refusal) < 400


def _refusal(text: str | bytes) -> str:
    try:
        parse_script(text)
    except HarnessError as error:
        return str(error)
    return ""


def test_steps_are_played_in_order_and_then_comes_for_ever() -> None:
    player = Player(parse_script('{"steps": ["500", "hang"], "then": "429"}'))
    assert [player.next() for _ in range(4)] == [Status(500), Hang(), Status(429), Status(429)]


def test_an_empty_script_is_always_ok() -> None:
    assert Player(parse_script("{}")).next() == Ok()


def test_random_failures_repeat_with_their_seed_and_differ_with_another() -> None:
    def drawn(seed: int) -> list[Step]:
        player = Player(Script(then=Chance(0.5, Reset()), seed=seed))
        return [player.next() for _ in range(64)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert set(drawn(1)) == {Ok(), Reset()}


@pytest.mark.parametrize(("share", "step"), [(0, Ok()), (1, Reset())])
def test_a_share_of_none_or_all_leaves_nothing_to_chance(share: float, step: Step) -> None:
    player = Player(Script(then=Chance(share, Reset())))
    assert {player.next() for _ in range(1000)} == {step}


def test_steps_that_calls_bring_along_do_not_shift_the_script() -> None:
    script = Script(steps=(Status(500),), then=Chance(0.5, Reset()))
    alone, disturbed = Player(script), Player(script)

    def next_after_a_guest() -> Step:
        disturbed.draw(Chance(0.5, Garbage()))
        return disturbed.next()

    assert [next_after_a_guest() for _ in range(64)] == [alone.next() for _ in range(64)]


def test_the_share_of_random_failures_is_about_right() -> None:
    player = Player(Script(then=Chance(0.2, Reset())))
    assert 0.15 < _share(player.next() for _ in range(10_000)) < 0.25


def _share(steps: Iterable[Step]) -> float:
    failed = [step == Reset() for step in steps]
    return sum(failed) / len(failed)
