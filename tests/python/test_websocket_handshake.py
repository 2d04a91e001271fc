"""The opening handshake as a client and an application see it (RFC 6455 4, ASGI WebSocket 2.5)."""

from __future__ import annotations

import ast
import base64
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest
import websockets
from conftest import StartServer
from server_process import ServerProcess, lines_about
from waiting import wait_until
from websockets.sync.client import connect
from wire import TEXT, Wire, frame, handshake


def test_accept_response(wire: Wire) -> None:
    wire.request(
        "/echo/any",
        "GET",
        "Upgrade: WebSocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Extensions: permessage-deflate",
    )
    response = wire.response()
    assert response.status == 101
    assert response.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert (response.header("upgrade") or "").lower() == "websocket"
    assert (response.header("connection") or "").lower() == "upgrade"
    assert response.header("sec-websocket-protocol") is None
    assert response.header("content-length") is None
    assert response.header("transfer-encoding") is None


def test_scope(wire: Wire, probe: ServerProcess) -> None:
    wire.upgraded("/scope/a%20b?q=1", "X-One: 1", "Sec-WebSocket-Protocol: chat, super.chat")
    scope = ast.literal_eval(wire.read_frame()[1].decode())
    assert scope["type"] == "websocket"
    assert scope["asgi"]["version"] == "3.0"
    assert scope["asgi"]["spec_version"] in ("2.4", "2.5")
    assert scope["http_version"] == "1.1"
    assert scope["scheme"] == "ws"
    assert scope["path"] == "/scope/a b"
    assert scope["raw_path"] == b"/scope/a%20b"
    assert scope["query_string"] == b"q=1"
    assert scope["root_path"] == ""
    assert list(scope["subprotocols"]) == ["chat", "super.chat"]
    assert list(scope["client"]) == ["127.0.0.1", wire.sock.getsockname()[1]]
    assert list(scope["server"]) == ["127.0.0.1", probe.port]
    assert (b"x-one", b"1") in map(tuple, scope["headers"])
    assert "websocket.http.response" in scope["extensions"]
    assert "method" not in scope


def test_scope_on_a_unix_socket(server: StartServer, tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    with server("apps.probe:app", "-u", path).connect() as wire:
        wire.upgraded("/scope")
        scope = ast.literal_eval(wire.read_frame()[1].decode())
        assert scope["client"] is None
        assert list(scope["server"]) == [path, None]
        assert list(scope["subprotocols"]) == []


def test_root_path(server: StartServer) -> None:
    with server("apps.probe:app", "--root-path", "/prefix").connect() as wire:
        wire.upgraded("/scope")
        assert b"'root_path': '/prefix'" in wire.read_frame()[1]


def test_accept_with_subprotocol_and_headers(wire: Wire) -> None:
    response = wire.upgrade("/negotiate", "Sec-WebSocket-Protocol: one, two")
    assert response.status == 101
    assert response.header("sec-websocket-protocol") == "two"
    own = [(name.lower(), value) for name, value in response.headers if name.lower()[:2] == "x-"]
    assert own == [("x-one", "1"), ("x-two", "2"), ("x-one", "3")]


def test_accept_without_subprotocol(wire: Wire) -> None:
    assert wire.upgrade("/negotiate").header("sec-websocket-protocol") is None


def test_refusal_is_403(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        response = wire.upgrade(f"/reject/{key}")
        assert response.status == 403
        assert response.header("sec-websocket-accept") is None
    message = probe.report(key)
    assert isinstance(message, dict)
    assert message["type"] == "websocket.disconnect"
    assert message["code"] == 1006


def test_denial_response(wire: Wire) -> None:
    response = wire.upgrade("/deny")
    assert response.status == 401
    assert response.header("www-authenticate") == "Basic"
    assert response.body == b"who are you?"


def test_denial_response_through_a_client(probe: ServerProcess) -> None:
    with (
        pytest.raises(websockets.exceptions.InvalidStatus) as caught,
        connect(f"{probe.ws_url}/deny", proxy=None),
    ):
        pass
    assert caught.value.response.status_code == 401


def test_application_that_raises_at_once_is_500(probe: ServerProcess) -> None:
    log = len(probe.log())
    with probe.connect() as wire:
        assert wire.upgrade("/raise-at-once").status == 500
    wait_until(lambda: "broken on purpose, before accept" in probe.log()[log:])


def test_application_that_returns_at_once_refuses(wire: Wire) -> None:
    assert wire.upgrade("/return-at-once").status in (403, 500)


def test_handshake_that_is_never_answered_is_given_up(server: StartServer, key: str) -> None:
    process = server("apps.probe:app", "--websocket_connect_timeout", "1")
    with process.connect() as wire:
        begun = time.monotonic()
        data = b""
        wire.send(handshake(f"/never-answer/{key}"))
        data = wire.read_to_end()
        assert 0.7 < time.monotonic() - begun < 4
        assert data.startswith(b"HTTP/1.1 503 ")
    message = process.report(key)
    assert isinstance(message, dict)
    assert (message["type"], message["code"]) == ("websocket.disconnect", 1006)


@pytest.mark.parametrize(
    ("request_text", "statuses"),
    [
        (handshake(key=None), {400}),
        (handshake(key="Sec-WebSocket-Key: short"), {400}),
        (handshake(key="Sec-WebSocket-Key: " + "!" * 24), {400}),
        (handshake(extra="Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), {400}),
        (handshake(version=None), {400, 426}),
        (handshake(version="Sec-WebSocket-Version: 8"), {400, 426}),
        (handshake(version="Sec-WebSocket-Version: 99"), {400, 426}),
        (handshake(host=None), {400}),
        (handshake(request="POST /echo/any HTTP/1.1"), {400, 405}),
    ],
    ids=[
        "no key",
        "short key",
        "key is no base64",
        "two keys",
        "no version",
        "version 8",
        "version 99",
        "no host",
        "POST",
    ],
)
def test_bad_handshake(probe: ServerProcess, request_text: str, statuses: set[int]) -> None:
    log = len(probe.log())
    with probe.connect() as wire:
        client = wire.name
        wire.send(request_text)
        response = wire.response()
        assert response.status in statuses
        if "Version: 99" in request_text:
            assert response.header("sec-websocket-version") == "13"
    assert probe.get("/").text == "hello"
    assert len(lines_about(client, probe.log()[log:])) <= 1, "more than a line for a bad handshake"


@pytest.mark.parametrize(
    "changes",
    [{"connection": None}, {"connection": "Connection: close"}, {"upgrade": "Upgrade: h2c"}],
    ids=["no connection", "close", "other protocol"],
)
def test_what_is_no_upgrade_is_plain_http(wire: Wire, changes: dict[str, Any]) -> None:
    wire.send(handshake("/", **changes))
    assert wire.response().body == b"hello"


def test_http_1_0_is_not_upgraded(wire: Wire) -> None:
    wire.send(handshake("/", request="GET / HTTP/1.0"))
    assert wire.response().status != 101


def test_frame_right_behind_the_handshake(wire: Wire, key: str) -> None:
    wire.send(handshake(f"/echo/{key}").encode() + frame(TEXT, "early") + frame(TEXT, "bird"))
    assert wire.response().status == 101
    assert wire.read_frame() == (TEXT, b"early")
    assert wire.read_frame() == (TEXT, b"bird")


def test_origin_is_the_applications_business(wire: Wire) -> None:
    wire.upgraded("/scope", "Origin: https://elsewhere.example")
    scope = ast.literal_eval(wire.read_frame()[1].decode())
    assert (b"origin", b"https://elsewhere.example") in map(tuple, scope["headers"])


def test_content_of_a_handshake_is_no_frame(wire: Wire) -> None:
    wire.send(handshake(extra="Content-Length: 7").encode() + frame(TEXT, "x"))
    wire.send_frame(TEXT, "first")
    assert wire.response().status == 101
    assert wire.read_frame() == (TEXT, b"first")


def test_upgrade_on_a_used_connection(wire: Wire) -> None:
    assert wire.get("/").body == b"hello"
    wire.upgraded("/echo/any")
    wire.send_frame(TEXT, "hello")
    assert wire.read_frame() == (TEXT, b"hello")


def test_accept_key_is_computed_as_the_rfc_says(wire: Wire) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    wire.send(handshake(key=f"Sec-WebSocket-Key: {key}"))
    magic = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    expected = base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()
    assert wire.response().header("sec-websocket-accept") == expected


def test_a_handshake_in_http_1_0_is_hinted_at_once(server: StartServer) -> None:
    """As nginx sends it without `proxy_http_version 1.1`."""
    process = server("apps.probe:app")
    for _ in range(2):
        with process.connect() as wire:
            wire.send(handshake("/echo").replace("HTTP/1.1", "HTTP/1.0"))
            assert wire.response().status != 101
    line = "asks for a WebSocket in HTTP/1.0, which has none"
    process.wait_for_log(line)
    assert process.log().count(line) == 1
