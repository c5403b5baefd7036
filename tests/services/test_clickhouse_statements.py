"""The little SQL that the embedded ClickHouse server has to understand."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.services.clickhouse.failure import ClickHouseError
from harness.services.clickhouse.statements import find_insert_data, first_keyword, literal, parse


@pytest.mark.parametrize(
    ("sql", "keyword"),
    [
        (b"select 1", "SELECT"),
        (b"\n -- select\n /* insert */ ((SELECT 1))", "SELECT"),
        (b"# comment\nSHOW TABLES", "SHOW"),
        (b"", ""),
        (b"  -- only this", ""),
        (b"'text'", ""),
    ],
)
def test_first_keyword(sql: bytes, keyword: str) -> None:
    assert first_keyword(sql) == keyword


@pytest.mark.parametrize(
    ("sql", "output_format"),
    [
        (b"SELECT 1", None),
        (b"SELECT 1 FORMAT JSON", "JSON"),
        (b"SELECT 1 format JSONEachRow ; ", "JSONEachRow"),
        (b"SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        (b"SELECT 1 FORMAT CSV -- FORMAT JSON", "CSV"),
        (b"SELECT 1 -- FORMAT JSON", None),
        (b"SELECT 'x FORMAT JSON'", None),
        (b"SELECT $a$ FORMAT JSON$a$", None),
        (b"SELECT $$x$$ FORMAT JSON", "JSON"),
        (b"SELECT (SELECT 1 FORMAT JSON)", None),
        (b"SELECT format FROM t", None),
        (b"SELECT 1, 2 FORMAT, 3", None),
        (b"SELECT a1, 22FORMAT FORMAT TSV", "TSV"),
        (b"SELECT a FROM t ORDER BY format DESC", None),
        (b"SELECT format('{}', a) FROM t", None),
    ],
)
def test_format_clause(sql: bytes, output_format: str | None) -> None:
    assert parse(sql).format == output_format


@pytest.mark.parametrize("sql", [b"SELECT ';'", b"SELECT 1;", b"SELECT 1; -- end", b"SELECT $a$;$a$", b"SELECT `;`"])
def test_one_statement(sql: bytes) -> None:
    assert parse(sql).keyword == "SELECT"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (b"SELECT 1; SELECT 2", 62),
        (b"SELECT 1;;", 62),
        (b"", 62),
        (b";", 62),
        (b"SELECT 1 INTO /* */ OUTFILE 'x'", 358),
    ],
)
def test_what_a_server_refuses(sql: bytes, code: int) -> None:
    with pytest.raises(ClickHouseError) as caught:
        parse(sql)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("sql", "statement", "input_format", "data"),
    [
        (b"INSERT INTO t FORMAT CSV\n1,2", "INSERT INTO t ", "CSV", b"1,2"),
        (b"INSERT INTO t FORMAT Native\r\n\n\x00", "INSERT INTO t ", "Native", b"\n\x00"),
        (b'INSERT INTO t(a) FORMAT JSONEachRow {"a":1}', "INSERT INTO t(a) ", "JSONEachRow", b'{"a":1}'),
        (b"INSERT INTO `FORMAT x` FORMAT TSV;\n1", "INSERT INTO `FORMAT x` ", "TSV", b"1"),
        (b"INSERT INTO t (format, b) FORMAT TSV", "INSERT INTO t (format, b) ", "TSV", b""),
    ],
)
def test_insert_data(sql: bytes, statement: str, input_format: str, data: bytes) -> None:
    head = find_insert_data(sql)
    assert head is not None
    assert (head.statement, head.format, sql[head.data_at :]) == (statement, input_format, data)


@pytest.mark.parametrize(
    "sql",
    [
        b"INSERT INTO t VALUES (1)",
        b"INSERT INTO t SELECT 1 FORMAT CSV",
        b"INSERT INTO t FORMAT Values (1)",
        b"INSERT INTO t",
    ],
)
def test_insert_without_a_stream_of_data(sql: bytes) -> None:
    assert find_insert_data(sql) is None


@given(st.binary())
def test_any_bytes_are_taken_apart(sql: bytes) -> None:
    first_keyword(sql)
    find_insert_data(sql)
    with contextlib.suppress(ClickHouseError):  # nothing else may come out
        parse(sql)


@given(st.text())
def test_a_literal_is_one_token_whatever_it_holds(text: str) -> None:
    assert parse(f"SELECT {literal(text)}".encode(errors="replace")).keyword == "SELECT"
