"""Times that are infinite, longer than a clock can count, no number, or shorter than it counts."""

from __future__ import annotations

import asyncio
import inspect
import math
from typing import Any

import pytest
from conftest import StartServer
from wire import TEXT

from cppasgi import Server
from cppasgi.command.options import OptionParser
from cppasgi.serving.native_options import native_options

NATIVE = {
    "http_timeout": "response_start_timeout",
    "timeout_request_header": "request_head_timeout",
    "timeout_request_body": "request_content_timeout",
    "timeout_send": "send_timeout",
    "timeout_keep_alive": "keep_alive_timeout",
    "timeout_after_disconnect": "after_disconnect_timeout",
    "websocket_connect_timeout": "websocket_handshake_timeout",
    "websocket_timeout": "websocket_age_timeout",
    "timeout_websocket_idle": "websocket_idle_timeout",
    "timeout_websocket_close": "websocket_close_timeout",
    "timeout_websocket_message": "websocket_message_timeout",
    "ping_interval": "ping_interval",
    "ping_timeout": "ping_timeout",
}
"""Arguments of the server, and what the native options call them."""
PYTHON = [
    *("graceful_timeout", "drain_delay", "ws_drain_window"),
    *("slow_callback", "worker_timeout", "application_close_timeout"),
]
SIGNED = ["websocket_connect_timeout", "websocket_timeout"]
"""-1 is none, too."""
TIMES = [*NATIVE, *PYTHON]


async def application(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError


def make(**times: float) -> Server:
    return Server(application, port=0, lifespan="off", **times)  # type: ignore[arg-type]


def flag_of(name: str) -> str:
    """The flag that is a keyword of the server."""
    return next(a.option_strings[-1] for a in OptionParser("")._actions if a.dest == name)


def test_the_table_has_every_time() -> None:
    parameters = inspect.signature(Server).parameters.values()
    assert sorted(TIMES) == sorted(p.name for p in parameters if p.annotation == "float")


@pytest.mark.parametrize("value", [math.inf, 1e17, 1e300, 2 * 10**9])
@pytest.mark.parametrize("name", TIMES)
def test_no_end(name: str, value: float) -> None:
    server = make(**{name: value})
    assert getattr(server, name) == math.inf
    if name in NATIVE:
        assert getattr(native_options(server), NATIVE[name]) == math.inf


@pytest.mark.parametrize("value", [math.nan, -math.nan, -1, -math.inf])
@pytest.mark.parametrize("name", TIMES)
def test_no_time(name: str, value: float) -> None:
    if value == -1 and name in SIGNED:
        assert getattr(native_options(make(**{name: value})), NATIVE[name]) == 0
        return
    with pytest.raises(ValueError, match=f"^{name}: (-1|-inf|nan) is (less than 0|not a number)"):
        make(**{name: value})


@pytest.mark.parametrize("value", [math.nan, -1])
@pytest.mark.parametrize("name", NATIVE.values())
def test_no_time_for_the_native_options(name: str, value: float) -> None:
    options = native_options(make())
    with pytest.raises(ValueError, match="a time is a number of seconds from 0 on"):
        setattr(options, name, value)


@pytest.mark.parametrize("name", NATIVE)
def test_shortest_time_is_one(name: str) -> None:
    assert getattr(native_options(make(**{name: 1e-9})), NATIVE[name]) == 0.001
    assert getattr(native_options(make(**{name: 0.25})), NATIVE[name]) == 0.25


@pytest.mark.parametrize("text", ["inf", "1e17"])
@pytest.mark.parametrize("loop", ["native", "asyncio"])
def test_server_without_any_end(server: StartServer, loop: str, text: str) -> None:
    """It serves, and stops when its connections are over."""
    flags = [arg for name in TIMES if name != "drain_delay" for arg in (flag_of(name), text)]
    process = server("apps.probe:app", "--loop", loop, *flags)
    with process.connect() as wire, process.connect().upgraded("/echo/any") as socket:
        assert wire.get("/").status == 200
        assert wire.is_quiet(1)
        assert wire.get("/").status == 200
        socket.send_frame(TEXT, "hello")
        assert socket.read_frame() == (TEXT, b"hello")
        process.send_signal()
        assert socket.read_close() == 1001
    assert process.wait() == 0


def test_server_that_drains_without_end(server: StartServer) -> None:
    """It serves on after a signal, until the second."""
    process = server("apps.probe:app", "--drain-delay", "inf")
    process.send_signal()
    with process.connect() as wire:
        assert wire.get("/").status == 200
        assert wire.is_quiet(1)
        assert wire.get("/").status == 200
    assert process.stop() == 143


def test_workers_without_any_end(server: StartServer) -> None:
    process = server(
        "apps.probe:app",
        *("--workers", "1", "--worker-lifetime", "inf", "--max-requests", "1000"),
        *("--graceful-timeout", "inf"),
    )
    assert process.get("/").status_code == 200
    assert process.stop() == 0


@pytest.mark.parametrize("seconds", [math.inf, 1e17])
def test_server_inside_a_program(seconds: float) -> None:
    async def serve() -> None:
        server = make(**dict.fromkeys(TIMES, seconds))
        serving = asyncio.ensure_future(server.serve())
        await server.started()
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        await asyncio.sleep(0.6)
        writer.write(b"GET nothing\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        serving.cancel()

    asyncio.run(serve())
