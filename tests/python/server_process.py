"""A real server process: found through what it prints, measured through /proc."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from processes import status_bytes
from wire import Wire

HERE = Path(__file__).parent
LISTENING = re.compile(r"Listening on (?:TCP address (\S+):(\d+)|Unix socket (\S+))$", re.MULTILINE)


def lines_about(client: str, log: str) -> list[str]:
    """The lines of a log that name this client, as `Wire.name` gives it.

    A server that tests share also writes about the clients of earlier tests, some lines late.
    """
    return re.findall(rf"^.*\b{re.escape(client)}\b.*$", log, re.MULTILINE)


class ServerProcess:
    """One running server; standard output and error are files, read with `access_log` and `log`."""

    def __init__(
        self,
        command: Sequence[str],
        app: str,
        args: Sequence[str],
        folder: Path,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        cwd: Path = HERE,
    ) -> None:
        self._stdout = folder / "stdout"
        self._stderr = folder / "stderr"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*command, *args, app],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **(env or {})},
                pass_fds=pass_fds,
            )
        self.host = ""
        self.port = 0
        self.path: str | None = None

    def wait_until_listening(self, timeout: float = 20) -> ServerProcess:
        """Reads the address that the server announces."""
        match = self.wait_for_log(LISTENING, timeout)
        if match[3] is None:
            self.host, self.port = match[1].strip("[]"), int(match[2])
        else:
            self.path = match[3]
        return self

    def wait_for_log(self, pattern: str | re.Pattern[str], timeout: float = 10) -> re.Match[str]:
        """Waits for a text on standard error."""
        end = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.log())
            if match is not None:
                return match
            if self.process.poll() is not None:
                raise AssertionError(
                    f"server ended, status {self.process.returncode}: {self.log()}"
                )
            if time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} in the log: {self.log()}")
            time.sleep(0.01)

    def log(self) -> str:
        return self._stderr.read_text(errors="replace")

    def access_log(self) -> str:
        return self._stdout.read_text(errors="replace")

    @property
    def address(self) -> str:
        """Host and port as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.address}"

    def connect(self) -> Wire:
        """Opens a raw connection."""
        return Wire.open(self.path if self.path is not None else (self.host, self.port))

    def get(self, target: str) -> httpx.Response:
        """One GET over a connection of its own."""
        # No TLS here, and reading the certificate authorities takes longer than the request.
        transport = httpx.HTTPTransport(uds=self.path, verify=False)
        with httpx.Client(transport=transport, timeout=10, trust_env=False) as client:
            return client.get((self.url if self.path is None else "http://localhost") + target)

    def report(self, key: str, timeout: float = 5) -> object:
        """What the application noted under `key` (see apps/probe.py), as soon as it's there."""
        end = time.monotonic() + timeout
        while True:
            response = self.get(f"/report/{key}")
            if response.status_code == 200:
                return response.json()
            if time.monotonic() > end:
                raise AssertionError(f"the application did not report {key}: {self.log()}")
            time.sleep(0.02)

    def memory(self) -> int:
        """Resident memory in bytes."""
        return status_bytes(self.process.pid, "VmRSS")

    def peak_memory(self) -> int:
        """The most resident memory so far, in bytes."""
        return status_bytes(self.process.pid, "VmHWM")

    def cpu_seconds(self) -> float:
        """User and system time used so far."""
        return (self._stat(14) + self._stat(15)) / os.sysconf("SC_CLK_TCK")

    def wake_ups(self) -> int:
        """How often its threads have waited and gone on so far."""
        statuses = Path(f"/proc/{self.process.pid}/task").glob("*/status")
        found = (
            re.search(r"^voluntary_ctxt_switches:\s*(\d+)", s.read_text(), re.M) for s in statuses
        )
        return sum(int(number[1]) for number in found if number)

    def page_faults(self) -> int:
        """Those so far that the kernel served without a disk."""
        return self._stat(10)

    def _stat(self, number: int) -> int:
        """A field of /proc/PID/stat, numbered as in proc(5); not the first two."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        return int(stat.rsplit(")", 1)[1].split()[number - 3])

    def is_sanitized(self) -> bool:
        """Whether AddressSanitizer is in the process: it keeps for a while what is freed.

        scripts/test gives such a server its options; the executable has it linked in statically.
        """
        return b"ASAN_OPTIONS=" in Path(f"/proc/{self.process.pid}/environ").read_bytes()

    def is_running(self) -> bool:
        return self.process.poll() is None

    def send_signal(self, signum: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(signum)

    def wait(self, timeout: float = 15) -> int:
        """Waits for the end of the process; returns its exit status."""
        return self.process.wait(timeout)

    def stop(self, signum: signal.Signals = signal.SIGTERM, timeout: float = 15) -> int:
        """Sends a signal and waits for the exit status."""
        self.send_signal(signum)
        return self.wait(timeout)

    def kill(self) -> None:
        """Makes sure that nothing is left."""
        if self.is_running():
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
