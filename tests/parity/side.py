"""One of the two servers that are compared: its process, and how a case is run on it."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from case import Answers, Case, Pause, Recorded
from seen import Outcome, parse_recording, parse_stream, with_ports
from server_process import ServerProcess

HERE = Path(__file__).parent
ANSWER_SECONDS = 4.0
RECORDING_SECONDS = 4.0

_numbers = itertools.count()


class Side:
    """A running server with the recording application."""

    def __init__(
        self, command: Sequence[str], flags: Sequence[str], folder: Path, path: Sequence[Path] = ()
    ) -> None:
        self.folder = folder
        environment: Mapping[str, str] = {
            "TEST_RECORDING": str(folder),
            "PYTHONPATH": os.pathsep.join(map(str, (HERE, *path))),
        }
        args = ("-p", "0", *flags)
        self.process = ServerProcess(command, "recording:app", args, folder, environment)

    def run(self, case: Case) -> Outcome:
        """Sends what the case's client sends, and returns all that came of it."""
        name = f"case{next(_numbers)}"
        script = self.folder / "script.new"
        script.write_text(repr((name, [*case.app])))
        script.rename(self.folder / "script")
        with _Client(self.process.port, case.bodiless, self.folder / name) as client:
            end = client.play(case)
        calls = self._recording(self.folder / name)
        ports = {"client": client.port, "server": self.process.port}
        return Outcome(*parse_stream(client.data, case.bodiless), end, with_ports(calls, ports))

    def _recording(self, file: Path) -> list[list[tuple[str, object]]]:
        """What was recorded, as soon as all calls have ended, or haven't in a good while."""
        end = time.monotonic() + RECORDING_SECONDS
        while True:
            calls = parse_recording(file.read_text()) if file.exists() else []
            if all(call[-1][0] == "end" for call in calls) or time.monotonic() > end:
                return calls
            time.sleep(0.005)


class _Client:
    def __init__(self, port: int, bodiless: bool, recording: Path) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self.sock.getsockname()[1]
        self.bodiless = bodiless
        self.recording = recording
        self.data = b""
        self.ended = False

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def play(self, case: Case) -> str:
        for step in case.client:
            match step:
                case bytes():
                    self.send(step)
                case Answers(count):
                    self.read_until(lambda count=count: self.answers() >= count)
                case Pause(seconds):
                    time.sleep(seconds)
                case Recorded(events):
                    self.wait_for_events(events)
        if case.finish.how == "reset":
            linger = b"\x01\0\0\0\0\0\0\0"
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if case.finish.how != "read":
            return "left"
        self.read_until(lambda: False, case.finish.patience)
        return "closed" if self.ended else "open"

    def send(self, data: bytes) -> None:
        # Where the server has closed, reading shows it.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def answers(self) -> int:
        answers, frames, _ = parse_stream(self.data, self.bodiless)
        return sum(answer.whole for answer in answers) + len(frames)

    def read_until(self, done: Callable[[], bool], patience: float = ANSWER_SECONDS) -> None:
        end = time.monotonic() + patience
        while not self.ended and not done() and (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(1 << 18)
            except TimeoutError:
                return
            except ConnectionResetError:
                data = b""
            self.data += data
            self.ended = not data

    def wait_for_events(self, count: int) -> None:
        end = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            text = self.recording.read_text() if self.recording.exists() else ""
            if text.count(", 'event', ") >= count:
                return
            time.sleep(0.005)
