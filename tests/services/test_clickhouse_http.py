"""The embedded ClickHouse server as plain HTTP sees it."""

import base64
import gzip
import http.client
import json
import socket
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import lz4.frame
import pytest
from backports import zstd

from tests.services.clickhouse_process import BOUND, Server, running


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Http:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)

    def __call__(
        self,
        method: str,
        path: str = "/",
        body: str | bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        **parameters: str,
    ) -> Answer:
        url = f"{path}?{urlencode(parameters)}" if parameters else path
        self.connection.request(method, url, body, headers or {}, encode_chunked=True)
        response = self.connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("clickhouse"), {"CLICKHOUSE_PASSWORD": "secret"}) as server:
        yield server


@pytest.fixture
def ask(server: Server) -> Iterator[Http]:
    ask = Http(server.port)
    yield ask
    ask.connection.close()


AUTH = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "secret"}


def test_is_alive_and_says_what_it_is_without_a_password(ask: Http) -> None:
    assert ask("GET", "/ping").body == b"Ok.\n"
    assert ask("GET", "/").body == b"Ok.\n"
    about = json.loads(ask("GET", "/engine").body)
    assert about["engine"] == "chdb-http"
    answer = ask("POST", body="SELECT version()", headers=AUTH)
    assert answer.body.decode().strip() == about["version"]
    assert answer.headers["x-clickhouse-server-display-name"] == "chdb"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_all_ways_to_log_in(ask: Http) -> None:
    assert ask("POST", body="SELECT 1", headers=AUTH).body == b"1\n"
    assert ask("POST", body="SELECT 1", headers=basic("default", "secret")).body == b"1\n"
    assert ask("POST", body="SELECT 1", user="default", password="secret").body == b"1\n"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "Secret"},
        {"X-ClickHouse-User": "nobody", "X-ClickHouse-Key": ""},
        basic("default", ""),
        basic("nobody", "secret"),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic /w=="},
    ],
)
def test_a_wrong_login_is_516(ask: Http, headers: dict[str, str]) -> None:
    answer = ask("POST", body="SELECT 1", headers=headers)
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (403, "516")
    assert b"AUTHENTICATION_FAILED" in answer.body


@pytest.mark.parametrize(
    ("sql", "code", "status"),
    [
        ("SELECT * FROM no_such_table", 60, 404),
        ("SELEKT", 62, 400),
        ("", 62, 400),
        ("-- nothing but a comment", 62, 400),
        ("SELECT 1 FORMAT NoSuchFormat", 73, 404),
        ("SELECT toUInt8('x')", 6, 400),
        ("SELECT throwIf(1)", 395, 500),
        ("SELECT sleep(3) SETTINGS max_execution_time = 0.1", 159, 408),
    ],
)
def test_codes_and_statuses(ask: Http, sql: str, code: int, status: int) -> None:
    answer = ask("POST", body=sql, headers=AUTH)
    assert (answer.headers["x-clickhouse-exception-code"], answer.status) == (str(code), status)
    assert answer.body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert b"(version " in answer.body


def test_get_may_only_read(ask: Http) -> None:
    assert ask("GET", headers=AUTH, query="SELECT 1").body == b"1\n"
    answer = ask("GET", headers=AUTH, query="CREATE TABLE never (a UInt8) ENGINE = Memory")
    assert answer.headers["x-clickhouse-exception-code"] == "164"
    assert ask("GET", headers=AUTH, query="EXISTS TABLE never").body == b"0\n"


def test_head_has_no_body(ask: Http) -> None:
    answer = ask("HEAD", headers=AUTH, query="SELECT number FROM numbers(1000000)")
    assert (answer.status, answer.body) == (200, b"")
    assert ask("GET", "/ping").body == b"Ok.\n"  # on the same connection


@pytest.mark.parametrize("name", ["compress", "decompress", "role"])
def test_what_is_not_supported_is_refused(ask: Http, name: str) -> None:
    assert ask("POST", body="SELECT 1", headers=AUTH, **{name: "1"}).headers["x-clickhouse-exception-code"] == "48"


def test_format_from_the_statement_the_url_or_the_header(ask: Http) -> None:
    sql = "SELECT 1 AS format"
    assert ask("POST", body=f"{sql} FORMAT JSONEachRow", headers=AUTH).body == b'{"format":1}\n'
    assert ask("POST", body=sql, headers=AUTH, default_format="CSVWithNames").body == b'"format"\n1\n'
    answer = ask("POST", body=sql, headers=AUTH | {"X-ClickHouse-Format": "JSONEachRow"})
    assert answer.body == b'{"format":1}\n'
    assert answer.headers["x-clickhouse-format"] == "JSONEachRow"
    assert answer.headers["content-type"].startswith("application/x-ndjson")


UNPACK = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": zstd.decompress,
    "lz4": lz4.frame.decompress,
}
PACK = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress, "lz4": lz4.frame.compress}


@pytest.mark.parametrize("encoding", UNPACK)
@pytest.mark.parametrize("wait", ["0", "1"])
def test_answers_are_compressed_as_asked(ask: Http, encoding: str, wait: str) -> None:
    headers = AUTH | {"Accept-Encoding": f"br, {encoding};q=0.5"}
    answer = ask("POST", body="SELECT number FROM numbers(200000)", headers=headers, wait_end_of_query=wait)
    assert answer.headers["content-encoding"] == encoding
    assert UNPACK[encoding](answer.body).splitlines() == [b"%d" % number for number in range(200_000)]
    assert ("x-clickhouse-summary" in answer.headers) == (wait == "1")


@pytest.mark.parametrize("accepted", ["", "br", "identity", "gzip;q=0"])
def test_answers_are_plain_unless_asked(ask: Http, accepted: str) -> None:
    answer = ask("POST", body="SELECT 1", headers=AUTH | {"Accept-Encoding": accepted})
    assert "content-encoding" not in answer.headers
    assert answer.body == b"1\n"


@pytest.fixture
def table(ask: Http) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex}"
    ask("POST", body=f"CREATE TABLE {name} (a UInt32, b String) ENGINE = MergeTree ORDER BY a", headers=AUTH)
    yield name
    ask("POST", body=f"DROP TABLE {name}", headers=AUTH)


@pytest.mark.parametrize("encoding", PACK)
def test_inserts_are_unpacked_frame_by_frame(ask: Http, table: str, encoding: str) -> None:
    frames = PACK[encoding](b"1\tone\n")
    if encoding != "deflate":  # a zlib stream has no frames to put one behind the other
        frames += PACK[encoding](b"2\ttwo\n")
    headers = AUTH | {"Content-Encoding": encoding}
    query = f"INSERT INTO {table} FORMAT TSV"
    answer = ask("POST", body=iter([frames[:5], frames[5:]]), headers=headers, query=query)
    assert answer.status == 200, answer.body
    written = 1 if encoding == "deflate" else 2
    assert json.loads(answer.headers["x-clickhouse-summary"])["written_rows"] == str(written)


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_a_damaged_insert_is_never_acknowledged(ask: Http, table: str, encoding: str, damage: str) -> None:
    packed = PACK[encoding](b"".join(b"%d\tsome text\n" % number for number in range(50_000)))
    body = packed[: len(packed) // 2] if damage == "cut" else b"\x00\xff" * 50
    answer = ask(
        "POST", body=body, headers=AUTH | {"Content-Encoding": encoding}, query=f"INSERT INTO {table} FORMAT TSV"
    )
    assert answer.headers["x-clickhouse-exception-code"] == "271", answer.body
    assert ask("GET", "/ping").body == b"Ok.\n"  # the connection is still in step


def test_an_unknown_content_encoding_is_named(ask: Http) -> None:
    answer = ask("POST", body=b"x", headers=AUTH | {"Content-Encoding": "br"})
    assert answer.status == 501
    assert b"'br' is not supported, use one of: lz4, zstd, gzip, deflate" in answer.body


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO {t} FORMAT TSV",
        "INSERT INTO {t} (a, b) FORMAT TSV",
        "insert into {t} settings max_insert_threads = 1 format TSV",
        "/* FORMAT CSV */ INSERT INTO {t} -- FORMAT CSV\n FORMAT TSV",
    ],
)
@pytest.mark.parametrize("where", ["url", "body"])
def test_insert_statement_in_the_url_or_before_the_data(ask: Http, table: str, statement: str, where: str) -> None:
    sql, data = statement.format(t=table), b"1\tFORMAT; 'x\n2\t(\n"
    if where == "url":
        ask("POST", body=data, headers=AUTH, query=sql)
    else:
        ask("POST", body=iter([sql.encode() + b"\n" + data[:3], data[3:]]), headers=AUTH)
    assert ask("POST", body=f"SELECT b FROM {table} ORDER BY a", headers=AUTH).body == b"FORMAT; \\'x\n(\n"


def test_insert_takes_parameters(ask: Http, table: str) -> None:
    answer = ask("POST", body=b"1\tx\n", headers=AUTH, query="INSERT INTO {t:Identifier} FORMAT TSV", param_t=table)
    assert answer.status == 200, answer.body
    assert ask("POST", body=f"SELECT count() FROM {table}", headers=AUTH).body == b"1\n"


def test_a_client_that_vanishes_in_an_insert_leaves_no_rows(ask: Http, server: Server, table: str) -> None:
    target = f"/?{urlencode({'query': f'INSERT INTO {table} FORMAT TSV', 'user': 'default', 'password': 'secret'})}"
    with socket.create_connection(("127.0.0.1", server.port), timeout=BOUND) as raw:
        raw.sendall(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n1\tone\n".encode())
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(1) == b""  # the server gave up: there is nothing to answer
    assert ask("POST", body=f"SELECT count() FROM {table}", headers=AUTH).body == b"0\n"


def test_query_id_cannot_add_headers(ask: Http) -> None:
    answer = ask("POST", body="SELECT 1", headers=AUTH, query_id="x\r\nSet-Cookie: a=b\x1b日")
    assert answer.headers["x-clickhouse-query-id"] == "x??Set-Cookie: a=b??"
    assert "set-cookie" not in answer.headers


def test_sessions(ask: Http) -> None:
    session = uuid.uuid4().hex
    missing = ask("POST", body="SELECT 1", headers=AUTH, session_id=session, session_check="1")
    assert missing.headers["x-clickhouse-exception-code"] == "372"
    ask("POST", body="SET max_block_size = 11", headers=AUTH, session_id=session)
    block = "SELECT toUInt32(getSetting('max_block_size'))"
    assert ask("POST", body=block, headers=AUTH, session_id=session, max_block_size="7").body == b"7\n"
    assert ask("POST", body=block, headers=AUTH, session_id=session, session_check="1").body == b"11\n"
    assert ask("POST", body=block, headers=AUTH, session_id=session, max_block_size="8", max_threads="1").body == b"8\n"
    assert ask("POST", body=block, headers=AUTH, session_id=session, max_threads="1").body == b"11\n"
    ask("POST", body=block, headers=AUTH, session_id=session, session_timeout="0")
    gone = ask("POST", body="SELECT 1", headers=AUTH, session_id=session, session_check="1")
    assert gone.headers["x-clickhouse-exception-code"] == "372"
    wrong = ask("POST", body="SELECT 1", headers=AUTH, session_id=session, session_timeout="soon")
    assert wrong.headers["x-clickhouse-exception-code"] == "374"


def test_a_refused_setting_does_not_stay_with_the_session(ask: Http) -> None:
    session = uuid.uuid4().hex
    answer = ask("POST", body="SELECT 1", headers=AUTH, session_id=session, max_block_size="5", no_such="1")
    assert answer.headers["x-clickhouse-exception-code"] == "115"
    block = "SELECT toUInt32(getSetting('max_block_size'))"
    assert ask("POST", body=block, headers=AUTH, session_id=session).body != b"5\n"


def test_setting_names_are_no_way_into_sql(ask: Http) -> None:
    answer = ask("POST", body="SELECT 1", headers=AUTH, **{"max_threads = 1, readonly": "2"})
    assert answer.headers["x-clickhouse-exception-code"] == "115"


FORM = "multipart/form-data; boundary=cut"


def test_a_form_keeps_binary_content(ask: Http) -> None:
    content = b"\r\n\r\n--cu\r\n\n\r\x00\xff--"
    body = (
        b'--cut\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT hex(data) FROM raw\r\n'
        b'--cut\r\nContent-Disposition: form-data; name="raw"; filename="f"\r\n\r\n' + content + b"\r\n--cut--\r\n"
    )
    parameters = {"raw_format": "RawBLOB", "raw_structure": "data String"}
    answer = ask("POST", body=body, headers=AUTH | {"Content-Type": FORM}, **parameters)
    assert answer.body.decode().strip() == content.hex().upper()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        (FORM, b"no form at all"),
        (FORM, b"--cut\r\nContent-Disposition: form-data\r\n\r\nx\r\n--cut--\r\n"),
        (FORM, b'--cut\r\nContent-Disposition: form-data; name="t"; filename="f"\r\n\r\nx\r\n--cut--\r\n'),
        (FORM, b'--cut\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT 1'),
    ],
)
def test_a_broken_form_is_36(ask: Http, content_type: str, body: bytes) -> None:
    answer = ask("POST", body=body, headers=AUTH | {"Content-Type": content_type})
    assert (answer.headers["x-clickhouse-exception-code"], answer.status) == ("36", 400)


def exchange(server: Server, sent: bytes) -> bytes:
    """All that comes back on a connection of its own."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=BOUND) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: raw.recv(65536), b""))


def test_the_head_of_a_request_is_bounded(server: Server) -> None:
    assert exchange(server, b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n").startswith(b"HTTP/1.1 414 ")
    assert exchange(server, b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000).startswith(b"HTTP/1.1 431 ")
    assert exchange(server, b"GET / HTTP/1.1\r\n" + b"A: x\r\n" * 200 + b"\r\n").startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 1e3\r\n\r\n",
        b"Content-Length: 99\r\n\r\nSELECT 1",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nSELECT 1\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-8\r\nSELECT 1\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nSELECT 1\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n8\r\nSELECT 1\r\n",
    ],
)
def test_a_body_unlike_its_announcement_is_never_run(server: Server, framing: bytes) -> None:
    head = b"POST /?user=default&password=secret HTTP/1.1\r\nHost: x\r\n"
    assert exchange(server, head + framing) == b""
    assert exchange(
        server, head + b"Transfer-Encoding: chunked\r\n\r\n8;a=b\r\nSELECT 1\r\n0\r\nT: x\r\n\r\n"
    ).endswith(b"\r\n\r\n2\r\n1\n\r\n0\r\n\r\n")


def test_http_1_0_gets_no_chunks(server: Server) -> None:
    answer = exchange(server, b"GET /?user=default&password=secret&query=SELECT+1 HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n1\n")
    assert b"chunked" not in answer
