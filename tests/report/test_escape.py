import io
import re

import pytest

from harness.report.escape import log_lines, markdown, shorten, terminal, visible
from tests.report.payloads import PAYLOADS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ümläut → 42.1 ms", "plain ümläut → 42.1 ms"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\u202eabc\u200b", r"\u202eabc\u200b"),
        ("\udc80", r"\udc80"),
        ("thin\u2009space", "thin\u2009space"),
    ],
)
def test_what_cannot_be_seen_becomes_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_sink_yields_one_encodable_line(payload: str) -> None:
    for sink in (visible, terminal, markdown):
        assert len(sink(payload).splitlines()) == 1
        io.BytesIO().write(sink(payload).encode("utf-8"))


@pytest.mark.parametrize("text", ["first_answer", "startup/cold_start", "42.1 ms", "−48.9 %", "(not set)"])
def test_markdown_leaves_ordinary_names_and_numbers_readable(text: str) -> None:
    assert markdown(text) == text


def test_markdown_escapes_each_sign_that_means_something() -> None:
    assert markdown("<b> & a|b *c* _d_ `e` [f] ~g~ $h$ !i \\") == (
        r"&lt;b&gt; &amp; a\|b \*c\* \_d\_ \`e\` \[f\] \~g\~ \$h\$ \!i \\"
    )


def test_markdown_breaks_what_looks_for_names_and_addresses() -> None:
    assert not re.search(r"@\w|#\d|://|www\.|GH-\d", markdown("@a #1 http://b www.c GH-2"))


def test_terminal_shows_commands_of_build_servers_without_speaking_them() -> None:
    assert terminal("##vso[x]") == r"\x23#vso[x]"
    assert terminal("##[error]") == r"\x23#[error]"
    assert terminal("a ::error::x") == r"a \x3a:error::x"
    assert terminal("tests/test_x.py::test_y") == "tests/test_x.py::test_y"
    assert terminal("## heading") == "## heading"
    assert log_lines("a::b\n  ::error::c\n\x1b[1m::d") == "a::b\n  \\x3a:error::c\n\x1b[1m\\x3a:d"


def test_a_long_text_is_cut_and_stays_distinct() -> None:
    one, other = shorten("x" * 500 + "1"), shorten("x" * 500 + "2")
    assert len(one) == len(other) == 120
    assert one != other
    assert shorten("x" * 120) == "x" * 120
    assert len(shorten("\udc80" * 200)) == 120
