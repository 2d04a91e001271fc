"""ASGI's HTTP response extensions as a client and as an application see them."""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from apps.extension_paths import WRONG
from conftest import StartServer, _starter
from processes import descriptors_of
from server_process import HERE, ServerProcess
from wire import Response, Wire

HINT, TRAILERS = "http.response.early_hint", "http.response.trailers"
FILES = {"http.response.pathsend", "http.response.zerocopysend"}
MIB = 1 << 20


@pytest.fixture(scope="module")
def probe(
    server_command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server that offers to send files, for all tests here; it must outlive every one of them."""
    started: list[ServerProcess] = []
    start = _starter(server_command, tmp_path_factory.mktemp("sendfile"), started)
    yield start("apps.probe:app", "--sendfile")
    assert started[0].is_running(), f"the server ended: {started[0].log()[-3000:]}"
    started[0].kill()


# --- announcing ---


def announced(wire: Wire, *headers: str) -> Any:
    return ast.literal_eval(wire.get("/extension/extensions", *headers).body.decode())


def test_extensions_are_announced_where_they_work(wire: Wire) -> None:
    plain = announced(wire)
    assert set(plain) == {HINT, *FILES}
    assert set(announced(wire, "TE: trailers")) == {*plain, TRAILERS}
    assert set(announced(wire, "TE: gzip, trailers;q=1")) == set(plain)
    assert set(announced(wire, "TE: gzip, Trailers", "Connection: TE")) == {*plain, TRAILERS}


def test_files_are_announced_on_request_only(server: StartServer, key: str) -> None:
    """Middleware that reads or changes bodies, as most does, knows of bodies only."""
    process = server("apps.probe:app")
    with process.connect() as wire:
        assert set(announced(wire)) == {HINT}
    for case in ("path-is-not-there", "file-is-negative"):
        with process.connect() as wire:
            wire.request(f"/extension/wrong/{case}/{key}-{case}")
            wire.read_to_end()
        report: Any = process.report(f"{key}-{case}")
        assert report["raised"] == "ValueError"
        assert "is not among the extensions of this request" in report["text"]


def test_extensions_belong_to_one_request(wire: Wire) -> None:
    first = announced(wire)
    assert announced(wire) == first
    assert all(value == {} for value in first.values())


def test_http_1_0_gets_neither_hints_nor_trailers(wire: Wire) -> None:
    wire.send("GET /extension/extensions HTTP/1.0\r\nTE: trailers\r\n\r\n")
    extensions = ast.literal_eval(wire.response().body.decode())
    assert set(extensions) == FILES


def test_using_what_was_not_announced_raises(probe: ServerProcess, wire: Wire, key: str) -> None:
    wire.send(f"GET /extension/unavailable/{key} HTTP/1.0\r\nTE: trailers\r\n\r\n")
    assert wire.response().body == b"recovered"
    report: Any = probe.report(key)
    assert [entry["raised"] for entry in report] == ["ValueError"] * 3
    assert [HINT in entry["text"] for entry in report] == [True, False, False]


# --- http.response.early_hint ---


def test_early_hints_arrive_before_the_response_is_made(wire: Wire) -> None:
    wire.request("/extension/hints", "POST", "Content-Length: 2")
    first = wire.response()
    assert (first.status, first.reason) == (103, "Early Hints")
    assert first.headers == [
        ("link", "</style.css>; rel=preload; as=style"),
        ("link", "</app.js>; rel=preload"),
    ]
    assert wire.response().headers == [("link", "</late.js>; rel=preload")]
    wire.send("ab")
    final = wire.response()
    assert (final.status, final.body) == (200, b"hinted")


def test_early_hint_before_a_failure(wire: Wire) -> None:
    wire.request("/extension/hint-then-raise")
    assert wire.response().status == 103
    assert wire.response().status == 500


# --- http.response.trailers ---


def with_trailers(wire: Wire, target: str, method: str = "GET") -> tuple[Response, list[str]]:
    """A response that ends with trailers, and those."""
    wire.request(target, method, "TE: trailers", "Connection: TE")
    response = wire.head()
    if method == "HEAD":
        return response, []
    assert response.header("transfer-encoding") == "chunked"
    assert response.header("content-length") is None
    while True:
        size = int(wire.read_until(b"\r\n"), 16)
        if size == 0:
            break
        response.body += wire.read(size)
        assert wire.read(2) == b"\r\n"
    lines = []
    while line := wire.read_until(b"\r\n"):
        lines.append(line.decode())
    return response, lines


@pytest.mark.parametrize(("pieces", "content"), [("one", b"last"), ("two", b"first last")])
def test_trailers(wire: Wire, pieces: str, content: bytes) -> None:
    for _ in range(2):  # the connection goes on
        response, lines = with_trailers(wire, f"/extension/with-trailers/{pieces}")
        assert response.body == content
        assert lines == ["X-Sum: 1", "x-sum: 2", "server-timing: total;dur=3"]


def test_announced_but_empty_trailers(wire: Wire) -> None:
    response, lines = with_trailers(wire, "/extension/no-trailer-at-all")
    assert (response.body, lines) == (b"last", [])
    assert wire.get("/").body == b"hello"


def test_head_gets_no_trailers(wire: Wire) -> None:
    with_trailers(wire, "/extension/with-trailers/two", "HEAD")
    assert wire.get("/").body == b"hello"


def test_missing_trailers_cut_the_connection(probe: ServerProcess, wire: Wire) -> None:
    wire.request("/extension/without-trailers", "GET", "TE: trailers")
    assert not wire.read_to_end().endswith(b"\r\n0\r\n\r\n")
    assert "without completing its response" in probe.log()


# --- http.response.pathsend ---


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that no socket buffer holds."""
    path = tmp_path / "large"
    path.write_bytes(b"".join(b"%015d\n" % number for number in range(2 * MIB)))
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small file"
    path.write_bytes(b"0123456789")
    return path


def target_of(name: str, path: str | bytes | Path, **query: object) -> str:
    return f"/extension/{name}?{urlencode({'path': path, **query})}"


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_large_file(kind: str, server: StartServer, large: Path, tmp_path: Path) -> None:
    where = ("-u", str(tmp_path / "socket")) if kind == "unix" else ("-p", "0")
    process = server("apps.probe:app", "--sendfile", *where)
    with process.connect() as wire:
        for query in ({}, {"length": large.stat().st_size}):
            response = wire.get(target_of("path/any", large, **query))
            assert response.header("content-length") == str(large.stat().st_size)
            assert response.body == large.read_bytes()
        assert wire.get("/").body == b"hello"
    assert process.report("any") == {"raised": None}


def test_small_and_empty_files(wire: Wire, small: Path, tmp_path: Path) -> None:
    assert wire.get(target_of("path/any", small)).body == b"0123456789"
    empty = tmp_path / "empty"
    empty.touch()
    response = wire.get(target_of("path/any", empty))
    assert (response.header("content-length"), response.body) == ("0", b"")
    assert wire.get("/").body == b"hello"


@pytest.mark.parametrize("path", ["server_process.py", "./apps/../server_process.py"])
def test_relative_paths_are_resolved_as_open_does(wire: Wire, path: str) -> None:
    assert wire.get(target_of("path/any", path)).body == (HERE / path).read_bytes()


def test_names_that_are_no_utf_8(wire: Wire, tmp_path: Path) -> None:
    name = tmp_path / os.fsdecode(b"caf\xe9")
    name.write_bytes(b"coffee")
    assert wire.get(target_of("path/any", os.fsencode(name))).body == b"coffee"


def test_pipelined_files(wire: Wire, small: Path, large: Path) -> None:
    for path in (small, large, small):
        wire.request(target_of("path/any", path))
    for path in (small, large, small):
        assert wire.response().body == path.read_bytes()


def test_file_to_http_1_0(wire: Wire, small: Path) -> None:
    wire.send(f"GET {target_of('parts', small)} HTTP/1.0\r\n\r\n")
    assert wire.response().body == b"0123456|234|789|end"


def test_head_and_statuses_without_content(wire: Wire, large: Path) -> None:
    size = large.stat().st_size
    response = wire.get(target_of("path/any", large, length=size), method="HEAD")
    assert response.header("content-length") == str(size)
    assert wire.get("/extension/path-status/204").status == 204
    assert wire.get("/extension/path-status/304").status == 304
    assert wire.get("/").body == b"hello"


def test_file_with_trailers(wire: Wire, large: Path) -> None:
    response, lines = with_trailers(wire, target_of("path-with-trailers", large))
    assert response.body == large.read_bytes()
    assert lines == ["x-sum: 1"]


def test_receive_hears_of_the_end_of_a_file(
    probe: ServerProcess, wire: Wire, key: str, large: Path
) -> None:
    assert wire.get(target_of(f"receive-after-path/{key}", large)).body == large.read_bytes()
    assert probe.report(key) == "http.disconnect"


def test_file_whose_application_has_gone(wire: Wire, large: Path) -> None:
    wire.request(target_of("path-left-behind", large))
    time.sleep(0.3)
    assert wire.response().body == large.read_bytes()
    assert wire.get("/").body == b"hello"


def test_send_waits_for_a_slow_client(server: StartServer, key: str, large: Path) -> None:
    process = server("apps.probe:app", "--sendfile")
    process.get("/")
    before = process.memory()
    with Wire.open((process.host, process.port), receive_buffer=65536) as wire:
        wire.request(target_of(f"path/{key}", large))
        time.sleep(0.5)
        assert process.get(f"/report/{key}").status_code == 404  # the loop goes on
        assert process.memory() - before < 4 * MIB
        used = process.cpu_seconds()
        time.sleep(0.5)
        assert process.cpu_seconds() - used < 0.2
        assert wire.response().body == large.read_bytes()
    assert process.report(key) == {"raised": None}


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_client_that_leaves_within_a_file(
    probe: ServerProcess, key: str, large: Path, leave: str
) -> None:
    files = descriptors_of(probe.process.pid)
    with probe.connect() as wire:
        wire.request(target_of(f"path/{key}", large))
        wire.fill()
        getattr(wire, leave)()
    report: Any = probe.report(key)
    assert report["raised"] == "ClientDisconnected"
    assert "OSError" in report["bases"]
    end = time.monotonic() + 5
    while descriptors_of(probe.process.pid) > files:
        assert time.monotonic() < end, "a descriptor is left"
        time.sleep(0.02)


@pytest.mark.parametrize("length", [None, 32 * MIB])
def test_file_that_becomes_shorter_cuts_the_connection(
    probe: ServerProcess, wire: Wire, key: str, large: Path, length: int | None
) -> None:
    query = {} if length is None else {"length": length}
    wire.request(target_of(f"path/{key}", large, **query))
    head = wire.head()
    os.truncate(large, MIB)
    assert len(wire.read_to_end()) < int(head.header("content-length") or 0)
    report: Any = probe.report(key)
    assert report["raised"] == "ClientDisconnected"
    assert "has become shorter" in probe.log()


# --- http.response.zerocopysend ---


def test_parts_of_a_file(wire: Wire, small: Path) -> None:
    response = wire.get(target_of("parts", small))
    assert response.chunks == [b"012", b"3456", b"|", b"234", b"|", b"789", b"|end"]


def test_parts_of_a_large_file_outlive_the_file_object(wire: Wire, large: Path) -> None:
    content = large.read_bytes()
    body = content[:7] + b"|" + content[2:5] + b"|" + content[7:] + b"|end"
    assert wire.get(target_of("parts", large)).body == body
    assert wire.get("/").body == b"hello"


def test_descriptor_is_sent_from_its_position(
    probe: ServerProcess, wire: Wire, key: str, small: Path
) -> None:
    assert wire.get(target_of(f"descriptor/{key}", small)).body == b"56789"
    assert probe.report(key) == 10


def test_nothing_comes_between_a_file(
    probe: ServerProcess, wire: Wire, key: str, large: Path
) -> None:
    wire.request(target_of(f"busy/{key}", large))
    time.sleep(0.3)
    assert wire.response().body == large.read_bytes() + b"end"
    assert probe.report(key) == [False, "ValueError", "ValueError", "ValueError"]


# --- wrong use ---


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_raises(probe: ServerProcess, key: str, case: str) -> None:
    with probe.connect() as wire:
        wire.request(f"/extension/wrong/{case}/{key}", "GET", "TE: trailers", "Connection: close")
        wire.read_to_end()
    report: Any = probe.report(key)
    assert {"ValueError", "TypeError", "OSError"} & set(report["bases"])
    assert report["raised"] != "ClientDisconnected"
