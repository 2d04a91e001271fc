"""Applications that call send() and receive() in any order, with any messages, and raise anywhere.

Whatever they do, the client gets a well-formed response or a cut connection, what arrived is what
send() took, the connection's next response is its own, and the server lives on.
TEST_RANDOM_CASES is the number of applications (300).
"""

from __future__ import annotations

import base64
import json
import os
import re
import uuid
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from conftest import _starter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_process import ServerProcess
from wire import Response, Wire

CASES = int(os.environ.get("TEST_RANDOM_CASES", "300"))

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9][0-9]) ([\t -~]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
CHUNK_SIZE = re.compile(rb"[0-9a-f]{1,8}")

nonsense = st.sampled_from([None, 0, 7, -1, 1.5, True, "text", b"bytes", [], {}, (), [1], "\ud800"])
names = st.sampled_from(
    [
        b"x-a",
        b"X-A",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"date",
        b"server",
        b"set-cookie",
        b"trailer",
        b"",
        b"a b",
        b"a:",
        b"x\r\ny",
        "str",
        None,
        5,
    ]
)
values = st.sampled_from(
    [
        b"",
        b"1",
        b"0",
        b"3",
        b"5",
        b"chunked",
        b"close",
        b"keep-alive",
        b"upgrade",
        b" spaced ",
        b"a\r\nx-injected: yes",
        b"a\nb",
        b"a\x00b",
        b"\xff",
        b"-1",
        b"1" * 30,
        "str",
        None,
        5,
    ]
)
headers = st.lists(st.tuples(names, values) | st.tuples(names) | nonsense, max_size=3) | nonsense
statuses = st.sampled_from([200, 200, 204, 304, 404, 500, 599, 999]) | nonsense | st.integers()
bodies = st.sampled_from([b"", b"a", b"abc", b"hello", b"x" * 1000, b"y" * 200_000]) | nonsense


def optional(**entries: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=entries)


def message(name: str, entries: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    return entries.map(lambda others: {"type": name, **others})


ok_headers = st.lists(
    st.sampled_from(
        [
            (b"x-a", b"1"),
            (b"content-length", b"3"),
            (b"content-length", b"5"),
            [b"a", b"b"],
            (b"connection", b"close"),
            (b"transfer-encoding", b"gzip"),
        ]
    ),
    max_size=2,
)
injections = st.sampled_from(
    [(b"x-a", b"a\r\nx-injected: yes"), (b"x-a", b"a\nb"), (b"x-a\r\nx-injected", b"yes")]
).map(lambda header: [header])
ok_start = st.fixed_dictionaries(
    {
        "type": st.just("http.response.start"),
        "status": st.sampled_from([200, 204, 404]),
        "headers": ok_headers | ok_headers | ok_headers | injections,
    }
)
ok_body = st.fixed_dictionaries(
    {
        "type": st.just("http.response.body"),
        "body": st.sampled_from([b"", b"abc", b"hello", b"z" * 70_000]),
        "more_body": st.booleans(),
    }
)
any_message = st.one_of(
    message("http.response.start", optional(status=statuses, headers=headers, trailers=nonsense)),
    message("http.response.body", optional(body=bodies, more_body=nonsense, extra=nonsense)),
    message("http.response.trailers", optional(headers=headers, more_trailers=nonsense)),
    message("http.response.early_hint", optional(links=st.lists(values, max_size=2) | nonsense)),
    message("http.response.pathsend", optional(path=nonsense)),
    message("http.response.zerocopysend", optional(file=nonsense, offset=nonsense)),
    st.sampled_from(
        ["http.request", "http.disconnect", "websocket.send", "websocket.accept", ""]
    ).map(lambda name: {"type": name}),
    nonsense,
    nonsense.map(lambda value: {"type": value}),
)
messages = ok_start | ok_body | any_message
steps = st.one_of(
    messages.map(lambda message: ("send", message)),
    messages.map(lambda message: ("send", message)),
    st.lists(messages, max_size=3).map(lambda messages: ("together", messages)),
    st.just(("receive",)),
    st.just(("pause",)),
    st.just(("cancel",)),
    st.sampled_from(
        [
            "ValueError",
            "OSError",
            "ConnectionResetError",
            "CancelledError",
            "TimeoutError",
            "StopAsyncIteration",
            "GeneratorExit",
            "Unusual",
        ]
    ).map(lambda name: ("raise", name)),
)
# Half of them begin with what a good application does, so that the later steps matter.
scripts = st.one_of(
    st.lists(steps, max_size=6),
    st.tuples(ok_start, st.lists(ok_body, max_size=3), st.lists(steps, max_size=4)).map(
        lambda parts: [("send", parts[0]), *(("send", body) for body in parts[1]), *parts[2]]
    ),
)


@pytest.fixture(scope="module")
def shared(
    server_command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    started: list[ServerProcess] = []
    _starter(server_command, tmp_path_factory.mktemp("scripted"), started)(
        "apps.scripted:app", "--lifespan", "off", "--sendfile"
    )
    yield started[0]
    started[0].kill()


def read_fields(wire: Wire) -> list[tuple[str, str]]:
    fields = []
    while line := wire.read_until(b"\r\n"):
        match = FIELD_LINE.fullmatch(line)
        assert match is not None, f"malformed field line {line!r}"
        fields.append((match[1].decode().lower(), match[2].decode("latin1").strip()))
    return fields


def read_response(wire: Wire, method: str) -> Response:
    """Reads a final response more strictly than any client would; EOFError when it is cut."""
    while True:
        line = wire.read_until(b"\r\n")
        match = STATUS_LINE.fullmatch(line)
        assert match is not None, f"malformed status line {line!r}"
        response = Response("HTTP/1.1", int(match[1]), match[2].decode(), read_fields(wire))
        if response.status >= 200:
            break
    coding, length = response.header("transfer-encoding"), response.header("content-length")
    assert coding in (None, "chunked")
    assert coding is None or length is None
    assert "x-injected" not in dict(response.headers)
    if method == "HEAD" or response.status in (204, 304):
        return response
    if coding is not None:
        while size := wire.read_until(b"\r\n"):
            assert CHUNK_SIZE.fullmatch(size), f"malformed chunk size {size!r}"
            if int(size, 16) == 0:
                read_fields(wire)  # trailers
                return response
            response.body += wire.read(int(size, 16))
            assert wire.read(2) == b"\r\n"
        raise AssertionError("an empty chunk size")
    if length is not None:
        assert re.fullmatch(r"[0-9]+", length)
        response.body = wire.read(int(length))
    else:
        assert response.header("connection") == "close"
        response.body = wire.read_to_end()
    return response


def sent(script: list[Any], outcome: list[str]) -> tuple[list[int], list[bytes] | None]:
    """What send() took: statuses, and pieces of content (None if their order is open)."""
    statuses: list[int] = []
    pieces: list[bytes] | None = []
    for step, what in zip(script, outcome, strict=False):
        if step[0] == "together":
            taken = [m for m, word in zip(step[1], what.split(), strict=True) if word == "ok"]
            if len(taken) > 1:
                pieces = None
        else:
            taken = [step[1]] if step[0] == "send" and what == "ok" else []
        for message in taken:
            if message["type"] == "http.response.start":
                statuses.append(int(message["status"]))
            elif message["type"] == "http.response.body" and pieces is not None:
                pieces.append(bytes(message.get("body") or b""))
    return statuses, pieces


def completes(script: list[Any], outcome: list[str]) -> bool:
    """Has the application sent a whole response (leaving aside what it sent at once)?"""
    trailers = False
    for step, what in zip(script, outcome, strict=False):
        if step[0] != "send":
            continue
        if what != "ok":
            # The last content, and less than announced: that was the end, the rest is ignored.
            message = step[1] if isinstance(step[1], dict) else {}
            if message.get("type") == "http.response.body" and not message.get("more_body"):
                return False
            continue
        if step[1]["type"] == "http.response.start":
            trailers = trailers or bool(step[1].get("trailers"))
        elif step[1]["type"] == "http.response.body" and not step[1].get("more_body"):
            return not trailers
    return False


def check(response: Response, method: str, script: list[Any], outcome: list[str]) -> None:
    """Is a complete response what the application sent, or else the server's 500?"""
    statuses, pieces = sent(script, outcome)
    if response.body == b"Internal Server Error" and response.status == 500:
        return
    if method == "HEAD" and response.status == 500:
        return
    assert statuses, f"status {response.status} from nowhere"
    assert response.status == statuses[0]
    if pieces is not None and method != "HEAD" and response.status not in (204, 304):
        assert b"".join(pieces).startswith(response.body)


@settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    report_multiple_bugs=False,
)
@given(
    script=scripts,
    careful=st.booleans(),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    version=st.sampled_from(["1.1", "1.1", "1.0"]),
    size=st.sampled_from([0, 0, 1, 1000, 100_000]),
    pipelined=st.booleans(),
    leaves=st.sampled_from([False, False, False, True]),
)
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.timeout(60 + CASES // 5)
def test_random_application(
    shared: ServerProcess,
    script: list[Any],
    careful: bool,
    method: str,
    version: str,
    size: int,
    pipelined: bool,
    leaves: bool,
) -> None:
    key = uuid.uuid4().hex
    head = (
        f"{method} /{key} HTTP/{version}\r\nHost: test\r\nConnection: keep-alive\r\n"
        f"Script: {base64.b64encode(zlib.compress(repr(script).encode())).decode()}\r\n"
        f"Careful: {'yes' if careful else 'no'}\r\nContent-Length: {size}\r\n\r\n"
    )
    ask = f"GET /outcome/{key} HTTP/1.1\r\nHost: test\r\n\r\n".encode()
    with shared.connect() as wire:
        with suppress(BrokenPipeError, ConnectionResetError):
            wire.send(head.encode() + b"c" * size + (ask if pipelined and not leaves else b""))
        if leaves:
            wire.reset()
            assert shared.get("/").text == "alive"
            return
        response = outcome = None
        cut = False
        try:
            response = read_response(wire, method)
            if response.header("connection") == "close":
                assert wire.read_to_end() == b""
            else:
                if not pipelined:
                    wire.send(ask)
                outcome = json.loads(read_response(wire, "GET").body)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            cut = True
    if outcome is None:
        outcome = json.loads(shared.get(f"/outcome/{key}").text)
    # A response that is complete before its request closes the connection (RFC 9112 9.3), and when
    # its head left before its end that wasn't known yet, so there is no "connection: close" in it.
    answered_early = response is not None and size != 0
    if cut and not answered_early:
        # A response may look complete and not be: without content, or up to its Content-Length.
        assert not completes(script, outcome), f"cut after a complete response: {outcome}"
    if response is not None:
        check(response, method, script, outcome)
