"""The address of `--metrics` under clients that hold it: probes are answered all the same."""

from __future__ import annotations

import re
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from conftest import StartServer
from wire import Wire

pytestmark = pytest.mark.python_side

CLIENTS = 2000
SECONDS = 3.0
"""What a probe may wait; a second, on a machine that does nothing else."""
HALF = b"GET /healthz HTTP/1.1\r\nHost: a\r\nx-half: "
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """The usual 1024 open files for what is started now, and as many as there may be afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def more_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def probe(address: tuple[str, int] | str) -> None:
    """Asks all three, each on a connection of its own, as a kubelet and a Prometheus would."""
    for path in ("/healthz", "/readyz", "/metrics"):
        begun = time.monotonic()
        with Wire.open(address) as wire:
            response = wire.get(path)
        # On a busy machine the worker itself may be late with its sign of life.
        if not response.body.startswith(b"not ready"):
            assert (path, response.status) == (path, 200)
        assert time.monotonic() - begun < SECONDS, path


@pytest.mark.usefixtures("few_descriptors")
@pytest.mark.parametrize("family", ["tcp", "unix"])
@pytest.mark.parametrize(
    ("beginning", "receive_buffer"),
    [(b"", None), (HALF, None), (SCRAPE * 4, 4096)],
    ids=["say nothing", "send half a request", "do not read /metrics"],
)
def test_probes_are_answered_beside_clients_that_hold_on(
    server: StartServer, tmp_path: Path, family: str, beginning: bytes, receive_buffer: int | None
) -> None:
    port, path = free_port(), tmp_path / "metrics.sock"
    address = str(path) if family == "unix" else ("127.0.0.1", port)
    where = f"unix:{path}" if family == "unix" else f"127.0.0.1:{port}"
    process = server("apps.working:app", "--metrics", where)
    more_descriptors()
    with ExitStack() as stack, Wire.open(address) as keeping:
        probe(address)
        assert keeping.get("/healthz").status == 200
        for number in range(CLIENTS):
            client = stack.enter_context(Wire.open(address, receive_buffer))
            with suppress(OSError):  # it may have had to go already
                client.send(beginning)
            if number % 100 == 99:
                probe(address)
        for _ in range(10):
            probe(address)
    probe(address)
    assert process.get("/").status_code == 200
    assert process.stop() == 0


def test_metrics_are_written_for_a_part_of_the_time_only(
    server: StartServer, tmp_path: Path
) -> None:
    """However often, and in whatever form, a client asks for them."""
    address = str(tmp_path / "metrics.sock")
    server("apps.working:app", "--metrics", f"unix:{address}")
    written: set[bytes] = set()
    with Wire.open(address) as wire:
        for number in range(400):
            accept = f"application/openmetrics-text; version=1.{number}" if number % 2 else "*/*"
            response = wire.get("/metrics", f"Accept: {accept}")
            found = re.search(rb"^cppasgi_uptime_seconds .*$", response.body, re.MULTILINE)
            assert response.status == 200
            assert found
            written.add(found[0])
        assert wire.get("/metrics", "Accept: application/openmetrics-text; version=x").status == 200
    assert 1 < len(written) < 200
