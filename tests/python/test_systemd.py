"""What systemd is told over its notify socket, which these tests hold (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import StartServer

pytestmark = pytest.mark.python_side

ROOT = Path(__file__).parents[2]


class NotifySocket:
    """The receiving end, with everything that came so far."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.received: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + path[1:] if path.startswith("@") else path)
        self._socket.settimeout(0.05)

    def environment(self, watchdog: float | None = None) -> dict[str, str]:
        variables = {"NOTIFY_SOCKET": self.path}
        if watchdog is not None:
            variables["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        return variables

    def wait_for(self, text: str, timeout: float = 10) -> float:
        """Waits for a message with the text; returns when it came."""
        end = time.monotonic() + timeout
        while not any(text in message for message in self.received):
            assert time.monotonic() < end, f"no {text} among {self.received}"
            self.take()
        return time.monotonic()

    def take(self) -> None:
        with contextlib.suppress(TimeoutError):
            self.received.append(self._socket.recv(4096).decode())

    def count(self, text: str, seconds: float) -> int:
        """How many messages with the text come in that time."""
        self.received.clear()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.take()
        return sum(text in message for message in self.received)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def notify(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    """A socket with a file, or without one where the test asks for that."""
    is_abstract = getattr(request, "param", "file") == "abstract"
    receiver = NotifySocket(f"@cppasgi-{os.getpid()}" if is_abstract else str(tmp_path / "notify"))
    yield receiver
    receiver.close()


@pytest.mark.parametrize("notify", ["file", "abstract"], indirect=True)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ready_comes_after_lifespan_startup(
    server: StartServer, notify: NotifySocket, workers: str
) -> None:
    args = ("apps.lifespans:good", "--workers", workers)
    process = server(*args, listen=False, env=notify.environment())
    notify.wait_for("READY=1")
    assert process.log().count("app: startup done") == int(workers)
    process.wait_until_listening()
    assert process.stop() == 0
    notify.wait_for("STOPPING=1")


def test_never_ready_without_lifespan_startup(server: StartServer, notify: NotifySocket) -> None:
    server("apps.lifespans:hanging_startup", listen=False, env=notify.environment(watchdog=0.2))
    assert notify.count("=", 1) == 0


def test_reloading_and_ready_again(server: StartServer, notify: NotifySocket) -> None:
    process = server("apps.working:app", "--workers", "2", env=notify.environment())
    notify.wait_for("READY=1")
    notify.received.clear()
    process.send_signal(signal.SIGHUP)
    notify.wait_for("RELOADING=1\nMONOTONIC_USEC=")
    assert not any("READY=1" in message for message in notify.received)
    notify.wait_for("READY=1")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_watchdog_depends_on_every_loop(
    server: StartServer, notify: NotifySocket, workers: str
) -> None:
    variables = notify.environment(watchdog=1)
    flags = ("--workers", workers, "--worker-timeout", "0")
    process = server("apps.working:app", *flags, env=variables)
    assert notify.count("WATCHDOG=1", 2.2) >= 3
    with process.connect() as wire:
        wire.request("/blocked/1000")
        notify.count("WATCHDOG=1", 1.5 if workers == "1" else 3.5)
        assert notify.count("WATCHDOG=1", 1.2) == 0


def test_watchdog_leaves_a_worker_that_will_be_replaced(
    server: StartServer, notify: NotifySocket
) -> None:
    process = server("apps.working:app", "--workers", "2", env=notify.environment(watchdog=1))
    with process.connect() as wire:
        wire.request("/blocked/1000")
        notify.count("WATCHDOG=1", 3.5)  # so long it is not even called stuck
        assert notify.count("WATCHDOG=1", 2) >= 2
    assert process.stop() == 1


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_example_unit_is_hardened() -> None:
    unit = ROOT / "examples" / "systemd" / "cppasgi.service"
    command = [
        "systemd-analyze",
        "security",
        "--no-pager",
        "--offline=true",
        "--threshold=15",
        unit,
    ]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert outcome.returncode == 0, outcome.stdout[-300:]


def test_status_has_the_counts(server: StartServer, notify: NotifySocket) -> None:
    process = server("apps.working:app", env=notify.environment())
    with process.connect() as wire:
        wire.request("/sleep/3")
        notify.wait_for("STATUS=1 connections, 1 application calls")
