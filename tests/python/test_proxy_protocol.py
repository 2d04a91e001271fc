"""``--proxy-protocol`` and ``haproxy:`` endpoints: a preamble names the client."""

from __future__ import annotations

import ast
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import StartServer
from ports import free_port
from server_process import ServerProcess
from waiting import wait_until
from wire import CLOSE, TEXT, Wire

APP = "apps.forwarded:app"
CLIENT = ("203.0.113.5", 41000)
VERSION_1 = b"PROXY TCP4 203.0.113.5 198.51.100.1 41000 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
NAMES = socket.inet_aton("203.0.113.5") + socket.inet_aton("198.51.100.1")
VERSION_2 = SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 12) + NAMES + struct.pack("!HH", 41000, 443)
TLS = b"\x20" + struct.pack("!HBI", 5, 1, 0)
VERSION_2_TLS = (
    SIGNATURE
    + struct.pack("!BBH", 0x21, 0x11, 12 + len(TLS))
    + NAMES
    + struct.pack("!HH", 41000, 443)
    + TLS
)
LOCAL = SIGNATURE + struct.pack("!BBH", 0x20, 0, 0)
PREAMBLES = {
    "version 1": (VERSION_1, CLIENT, "http"),
    "version 2": (VERSION_2, CLIENT, "http"),
    "version 2, TLS": (VERSION_2_TLS, CLIENT, "https"),
    "unknown": (b"PROXY UNKNOWN\r\n", None, "http"),
    "local": (LOCAL, None, "http"),
}


def seen(wire: Wire, preamble: bytes) -> tuple[object, str]:
    """What the application sees of a client behind ``preamble``."""
    wire.send(preamble)
    response = wire.get("/")
    assert response.status == 200
    client, scheme = ast.literal_eval(response.body.decode())
    return client, scheme


@pytest.fixture(scope="module")
def proxied(
    server_command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    process = ServerProcess(
        server_command,
        APP,
        ("-p", "0", "--proxy-protocol"),
        tmp_path_factory.mktemp("proxied"),
        None,
    )
    yield process.wait_until_listening()
    process.kill()


@pytest.mark.parametrize("name", PREAMBLES)
def test_preamble_names_the_client(proxied: ServerProcess, name: str) -> None:
    preamble, client, scheme = PREAMBLES[name]
    with proxied.connect() as wire:
        own = wire.name
        assert seen(wire, preamble) == (
            client or ("127.0.0.1", int(own.rpartition(":")[2])),
            scheme,
        )
        assert seen(wire, b"")[1] == scheme  # of each request of the connection
    name_in_log = own if client is None else "{}:{}".format(*client)
    wait_until(lambda: f"{name_in_log} - - " in proxied.access_log())


def test_websocket_behind_a_preamble(proxied: ServerProcess) -> None:
    with proxied.connect() as wire:
        wire.send(VERSION_2_TLS)
        assert wire.upgrade("/").status == 101
        assert wire.read_frame() == (TEXT, repr((CLIENT, "wss")).encode())
        wire.send_frame(CLOSE)


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "there is no PROXY preamble"),
        (b"\x16\x03\x01\x02\x00", "there is no PROXY preamble"),
        (b"PROXY TCP4 a b 1 2\r\n", "the PROXY line has a wrong address or port"),
        (SIGNATURE + b"\x41\x11\0\0", "the PROXY preamble has an unknown version or command"),
    ],
)
def test_wrong_preamble_ends_the_connection(proxied: ServerProcess, sent: bytes, line: str) -> None:
    with proxied.connect() as wire:
        wire.send(sent)
        assert wire.is_closed()
        proxied.wait_for_log(f"{wire.name}: {line}")


def test_health_check_that_only_connects_leaves_no_line(server: StartServer) -> None:
    process = server(APP, "--proxy-protocol")
    before = process.log()
    for _ in range(3):
        process.connect().close()
    with process.connect() as wire:
        assert seen(wire, VERSION_1) == (CLIENT, "http")
    wait_until(lambda: "203.0.113.5" in process.access_log())
    assert process.log() == before
    assert len(process.access_log().splitlines()) == 1


def test_late_preamble_ends_the_connection(server: StartServer) -> None:
    process = server(APP, "--proxy-protocol", "--timeout-request-header", "0.5")
    with process.connect() as wire:
        wire.send(b"PROXY TCP4 203")
        assert wire.is_closed()
        process.wait_for_log(f"{wire.name}: the PROXY preamble took too long")


def test_only_trusted_proxies_may_connect(server: StartServer) -> None:
    process = server(APP, "--proxy-protocol", "--forwarded-allow-ips", "10.0.0.0/8")
    with process.connect() as wire:
        wire.send(VERSION_1)
        assert wire.is_closed()
        process.wait_for_log(
            f"{wire.name}: is no trusted proxy: where the PROXY protocol is spoken"
        )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_kind_of_endpoint(
    server: StartServer, tmp_path: Path, workers: str, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "site.sock"
    given = socket.create_server(("127.0.0.1", 0))
    request.addfinalizer(given.close)
    plain, proxied = free_port(), free_port()
    process = server(
        APP,
        *("-e", f"haproxy:tcp:{proxied}:interface=127.0.0.1"),
        *("-e", f"tcp:{plain}:interface=127.0.0.1"),
        *("-e", f"haproxy:unix:{path}"),
        *("-e", f"HAProxy:fd:{given.fileno()}"),
        *("--workers", workers),
        pass_fds=(given.fileno(),),
    )
    for address in (("127.0.0.1", proxied), str(path), given.getsockname()):
        with Wire.open(address) as wire:
            assert seen(wire, VERSION_2) == (CLIENT, "http")
    with Wire.open(("127.0.0.1", plain)) as wire:
        client, _ = seen(wire, b"")
        assert isinstance(client, tuple)
        assert client[0] == "127.0.0.1"
    if workers == "2":  # the successors' sockets are of the same kinds
        process.send_signal(signal.SIGHUP)
        process.wait_for_log(r"Worker 2 \(process \d+\) has stopped", timeout=20)
        with Wire.open(("127.0.0.1", proxied)) as wire:
            assert seen(wire, VERSION_1) == (CLIENT, "http")


def test_flag_is_for_all_endpoints(server: StartServer) -> None:
    port, other = free_port(), free_port()
    server(
        APP,
        *("-p", str(port), "--proxy-protocol"),
        *("-e", f"tcp:{other}:interface=127.0.0.1"),
    )
    for each in (port, other):
        with Wire.open(("127.0.0.1", each)) as wire:
            assert seen(wire, VERSION_1) == (CLIENT, "http")


def test_server_in_a_program(tmp_path: Path) -> None:
    port = free_port()
    program = (
        "import cppasgi, sys; sys.path.insert(0, '.'); from apps.forwarded import app;"
        f"cppasgi.Server(app, port={port}, proxy_protocol=True).run()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parent)
    try:
        end = time.monotonic() + 20
        while True:
            with suppress(ConnectionRefusedError), Wire.open(("127.0.0.1", port)) as wire:
                assert seen(wire, VERSION_1) == (CLIENT, "http")
                break
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        process.terminate()
        assert process.wait(15) in (0, -signal.SIGTERM)


# --- a real proxy ---

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")

CONFIGURATION = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend site
  bind 127.0.0.1:{port}
  default_backend cppasgi
backend cppasgi
  server one 127.0.0.1:{upstream} {sends} check check-send-proxy inter 100ms
"""


@pytest.mark.parametrize("sends", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"])
def test_behind_haproxy(server: StartServer, tmp_path: Path, sends: str) -> None:
    if HAPROXY is None:
        pytest.skip("haproxy isn't installed")
    process = server(APP, "--proxy-protocol")
    port = free_port()
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(CONFIGURATION.format(port=port, upstream=process.port, sends=sends))
    haproxy = subprocess.Popen([HAPROXY, "-db", "-f", configuration], stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 15
        while True:
            with suppress(OSError, AssertionError), Wire.open(("127.0.0.1", port)) as wire:
                seen(wire, b"")
                break
            assert haproxy.poll() is None
            assert time.monotonic() < end, "haproxy doesn't serve"
            time.sleep(0.05)
        with Wire.open(("127.0.0.1", port)) as wire:
            own = ("127.0.0.1", int(wire.name.rpartition(":")[2]))
            assert seen(wire, b"") == (own, "http")  # not haproxy's own port
            assert wire.upgrade("/").status == 101
            assert wire.read_frame() == (TEXT, repr((own, "ws")).encode())
        time.sleep(0.5)  # some health checks
        assert "PROXY" not in process.log()
    finally:
        haproxy.terminate()
        haproxy.wait(15)
