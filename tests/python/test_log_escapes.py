"""Nothing that a client sends forges a line of a log, or steers the terminal that shows it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import wait_until

from cppasgi.log_text import LogFormatter, escaped
from cppasgi.observing.json_log import JsonFormatter

HOSTILE = 'a"b\\c\x1b[31m\n1.2.3.4 - - "GET /forged" 200\r\t\x7f\x9b2Jé\x00\udcff'
"""Quotes, ends of lines, control sequences of both kinds, what isn't ASCII, what isn't UTF-8."""
FIELD = b'a"b\\c\t\xc3\xa9\xff\x9b2J'
"""What a field of a request may hold."""
ESCAPED_FIELD = r"a\x22b\x5Cc\x09\xC3\xA9\xFF\x9B2J"


def lines_after(process: ServerProcess, request: bytes) -> list[str]:
    with process.connect() as wire:
        wire.send(request)
        wire.read_to_end()
    wait_until(process.access_log)
    return process.access_log().splitlines()


REQUEST = (
    b'GET /p"q\\r HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'
    b"User-Agent: "
    + FIELD
    + b"\r\nReferer: "
    + FIELD
    + b"\r\nX-Forwarded-For: "
    + FIELD
    + b"\r\n\r\n"
)
PATH = r"/p\x22q\x5Cr"


@pytest.mark.parametrize(
    ("log_format", "ends"),
    [
        ("daphne", f'"GET {PATH}" 404 9'),
        ("combined", f'"GET {PATH} HTTP/1.1" 404 9 "{ESCAPED_FIELD}" "{ESCAPED_FIELD}"'),
        ("%(m)s %(U)s %(a)s", f"GET {PATH} {ESCAPED_FIELD}"),
    ],
)
def test_formats_of_text_escape_alike(server: StartServer, log_format: str, ends: str) -> None:
    process = server("apps.probe:app", "--log-format", log_format, "--proxy-headers")
    (line,) = lines_after(process, REQUEST)
    assert line.endswith(ends)
    assert line.startswith(("127.0.0.1", "GET"))  # what names a client is no address


def test_json_escapes_the_same_bytes(server: StartServer) -> None:
    process = server("apps.probe:app", "--log-format", "json", "--proxy-headers")
    (line,) = lines_after(process, REQUEST)
    assert line.isascii()
    assert line.isprintable()
    values = json.loads(line)
    assert values["client"] == "127.0.0.1"
    assert values["path"] == '/p"q\\r'
    assert values["user_agent"] == FIELD.decode("latin-1")


def test_a_scope_has_addresses_only(server: StartServer) -> None:
    process = server("apps.probe:app", "--proxy-headers")
    with process.connect() as wire:
        scope = wire.get("/scope", "X-Forwarded-For: <script>", "X-Forwarded-Proto: https").body
        assert b"'client': ('127.0.0.1', " in scope
        assert b"'scheme': 'https'" in scope
        scope = wire.get("/scope", "X-Forwarded-For: 2001:db8::1").body
        assert b"'client': ('2001:db8::1', 0)" in scope


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("cppasgi", logging.ERROR, "", 0, "said %s", (text,), None)


def test_the_server_log_steers_no_terminal() -> None:
    text = LogFormatter("%(message)s").format(record(HOSTILE))
    assert "\\x1B[31m" in text
    assert "\\x9B2Jé\\x00" in text
    assert not {*map(chr, range(32)), *map(chr, range(127, 160))} & set(text) - {"\n", "\t"}


def test_a_record_of_the_json_log_is_one_line() -> None:
    text = JsonFormatter().format(record(HOSTILE))
    assert not {*map(chr, range(32)), *map(chr, range(127, 160))} & set(text)
    assert json.loads(text)["message"] == f"said {HOSTILE}"


def test_what_is_told_of_a_request_is_one_line() -> None:
    text = escaped(HOSTILE)
    assert text.isascii()
    assert text.isprintable()
    assert text.startswith(r"a\x22b\x5Cc\x1B[31m\x0A1.2.3.4")
    assert text.endswith(r"\x7F\xC2\x9B2J\xC3\xA9\x00\xFF")


def test_a_path_that_blocks_the_loop_forges_no_line(server: StartServer) -> None:
    process = server("apps.troubles:app", "--slow-callback", "0.2")
    with process.connect() as wire:
        wire.request("/block/0.6%0A%1B[31m")
        wire.response()
    found: Any = process.wait_for_log(r"blocked for .* by GET (\S+)")
    assert found[1].startswith(r"/block/0.6\x0A\x1B[31m")
