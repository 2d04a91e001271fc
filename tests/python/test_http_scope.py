"""The scope of an HTTP request (ASGI HTTP 2.5)."""

from __future__ import annotations

import ast
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from conftest import StartServer
from server_process import ServerProcess
from wire import Wire


def scope_of(wire: Wire, target: str, *headers: str, method: str = "GET") -> dict[str, Any]:
    wire.request(target, method, *headers)
    response = wire.response()
    assert response.status == 200
    scope: dict[str, Any] = ast.literal_eval(response.body.decode())
    return scope


def test_scope_on_tcp(wire: Wire, probe: ServerProcess) -> None:
    scope = scope_of(wire, "/scope/a%20b%2Fc%C3%A9?q=%20x&y", "X-One: 1", "x-TWO:  2 ", "X-One: 3")
    extensions = scope.pop("extensions", {})
    assert isinstance(extensions, dict)
    assert "tls" not in extensions
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": scope["asgi"]["spec_version"]},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/scope/a b/cé",
        "raw_path": b"/scope/a%20b%2Fc%C3%A9",
        "query_string": b"q=%20x&y",
        "root_path": "",
        "headers": scope["headers"],
        "client": scope["client"],
        "server": scope["server"],
    }
    assert scope["asgi"]["spec_version"] == "2.3"
    assert [tuple(pair) for pair in scope["headers"]] == [
        (b"host", b"test"),
        (b"x-one", b"1"),
        (b"x-two", b"2"),
        (b"x-one", b"3"),
    ]
    assert list(scope["client"]) == ["127.0.0.1", wire.sock.getsockname()[1]]
    assert list(scope["server"]) == ["127.0.0.1", probe.port]


def test_fields_with_an_underscore_never_reach_the_application(wire: Wire) -> None:
    scope = scope_of(wire, "/scope", "X_Remote_User: forged", "_: 1", "X-Remote-User: bob")
    assert [tuple(pair) for pair in scope["headers"]] == [
        (b"host", b"test"),
        (b"x-remote-user", b"bob"),
    ]


def test_types_in_the_scope_are_plain(wire: Wire) -> None:
    types = json.loads(wire.get("/scope-types").body)
    sequences = {"list", "tuple"}
    assert types.pop("scope itself") == "dict"
    assert types.pop("one header") in sequences
    assert types.pop("client") in sequences
    assert types.pop("server") in sequences
    assert types.pop("headers") in sequences
    assert types.pop("header parts") == "bytes bytes"
    assert types.pop("client parts") == "str int"
    assert types.pop("asgi") == "dict"
    assert types.pop("extensions", "dict") == "dict"
    assert {name for name, kind in types.items() if kind == "bytes"} == {"raw_path", "query_string"}
    assert set(types.values()) == {"bytes", "str"}


def test_scope_of_http_1_0(wire: Wire) -> None:
    wire.send("GET /scope HTTP/1.0\r\n\r\n")
    scope = ast.literal_eval(wire.response().body.decode())
    assert scope["http_version"] == "1.0"
    assert scope["headers"] == []


def test_scope_on_ipv6(server: StartServer) -> None:
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    process = server("apps.probe:app", "-b", "::1", "-p", "0")
    with process.connect() as wire:
        scope = scope_of(wire, "/scope")
        assert list(scope["client"]) == ["::1", wire.sock.getsockname()[1]]
        assert list(scope["server"]) == ["::1", process.port]


def test_scope_on_a_unix_socket(server: StartServer, tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    with server("apps.probe:app", "-u", path).connect() as wire:
        scope = scope_of(wire, "/scope")
        assert scope["client"] is None
        assert list(scope["server"]) == [path, None]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_method(wire: Wire, method: str) -> None:
    assert scope_of(wire, "/scope", method=method)["method"] == method


def test_path_that_is_no_utf_8(wire: Wire) -> None:
    scope = scope_of(wire, "/scope/%ff%")
    assert scope["path"] == "/scope/\ufffd%"
    assert scope["raw_path"] == b"/scope/%ff%"


def test_query_string_is_kept_as_it_is(wire: Wire) -> None:
    assert scope_of(wire, "/scope?")["query_string"] == b""
    assert scope_of(wire, "/scope?a=%26&b=?/")["query_string"] == b"a=%26&b=?/"


def test_absolute_form_of_the_target(wire: Wire) -> None:
    scope = scope_of(wire, "http://test/scope?q")
    assert (scope["path"], scope["query_string"]) == ("/scope", b"q")
    assert wire.get("http://elsewhere.example/scope").status == 400  # Not what Host says.


def test_header_values_are_bytes_as_they_came(wire: Wire) -> None:
    headers = scope_of(wire, "/scope", "X-Latin: \xe4\xff", "Cookie: a=1", "Cookie: b=2")["headers"]
    assert (b"x-latin", b"\xe4\xff") in map(tuple, headers)
    assert [value for name, value in headers if name == b"cookie"] == [b"a=1", b"b=2"]


def test_no_state_without_lifespan(wire: Wire) -> None:
    assert wire.get("/state").body in (b"None", b"{}")
    assert wire.get("/state").body in (b"None", b"{}")
