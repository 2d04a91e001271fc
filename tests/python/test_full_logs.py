"""Logs that nobody reads, or that have no room: serving goes on, and lines are left out whole."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from conftest import StartServer
from ports import free_port
from server_process import ServerProcess
from waiting import wait_until
from wire import Wire

REQUESTS = 3000
TARGET = "/digest?" + "x" * 250
"""With `REQUESTS` of them a log is longer than a pipe and what the server keeps."""
LINE = re.compile(r'127\.0\.0\.1:\d+ - - \[[^]]+\] "GET \S+" \d+ \d+\n')
LEFT_OUT = re.compile(r"Access log lines left out, as they could not be written: (\d+)")

StartWith = Callable[..., ServerProcess]


class Pipe:
    """A FIFO whose reader comes and goes; it has one from the start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.text = ""

    def read(self) -> str:
        """Reads what there is; returns everything that was read so far."""
        with suppress(BlockingIOError):
            while data := os.read(self.descriptor, 1 << 16):
                self.text += data.decode()
        return self.text

    def leave(self) -> None:
        os.close(self.descriptor)

    def come_back(self) -> None:
        self.descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    pipe = Pipe(tmp_path / "pipe")
    yield pipe
    with suppress(OSError):
        pipe.leave()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "cppasgi-test", str(folder)]
    if subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("NOT TESTED: a disk that fills up needs the right to mount one")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def start(server_command: list[str], tmp_path: Path) -> Iterator[StartWith]:
    """Starts a server with a redirection of the shell's, such as ">/dev/full"."""
    with ExitStack() as stack:

        def start(redirection: str, app: str, *args: str) -> ServerProcess:
            shell = ["sh", "-c", f'exec "$@" {redirection}', "sh", *server_command]
            process = ServerProcess(shell, app, args, tmp_path)
            stack.callback(process.kill)
            return process

        yield start


def ask(process: ServerProcess, requests: int = REQUESTS) -> None:
    """Sends them one after another, each of which must be answered soon."""
    with process.connect() as wire:
        for _ in range(requests):
            assert wire.get(TARGET).status == 200


def left_out(process: ServerProcess) -> int:
    """As the log tells."""
    return sum(map(int, LEFT_OUT.findall(process.log())))


def are_whole(text: str) -> bool:
    return all(map(LINE.fullmatch, text.splitlines(keepends=True)))


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_a_pipe_that_nobody_reads_stops_nobody(
    start: StartWith, pipe: Pipe, workers: tuple[str, ...]
) -> None:
    process = start(f">{pipe.path}", "apps.probe:app", "-p", "0", *workers).wait_until_listening()
    for _ in range(10):  # connections, for both workers to get some
        ask(process, REQUESTS // 5)
    process.wait_for_log("The access log can't be written, .*: nobody reads it")
    assert process.stop() == 0


def test_a_reader_that_comes_late_finds_whole_lines(start: StartWith, pipe: Pipe) -> None:
    process = start(f">{pipe.path}", "apps.probe:app", "-p", "0").wait_until_listening()
    ask(process)
    assert left_out(process) == 0  # how many isn't known yet
    # What the server has kept follows by itself.
    wait_until(lambda: len(pipe.read()) > 300_000, 20)
    process.wait_for_log(LEFT_OUT)
    process.get("/last")
    wait_until(lambda: '"GET /last" 404' in pipe.read(), 20)
    assert are_whole(pipe.text)
    assert process.stop() == 0
    assert pipe.text.count("\n") - 1 + left_out(process) == REQUESTS
    assert process.log().count("left out") == 2


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_the_last_lines_wait_a_moment_for_a_reader(
    start: StartWith, pipe: Pipe, workers: tuple[str, ...]
) -> None:
    process = start(f">{pipe.path}", "apps.probe:app", "-p", "0", *workers).wait_until_listening()
    ask(process, 500)  # more than the pipe takes
    pipe.read()
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: pipe.read() and not process.is_running(), 20)
    assert are_whole(pipe.read())
    assert pipe.text.count("\n") == 500
    assert "left out" not in process.log()


@pytest.mark.parametrize("flag", [(), ("--access-log", "/dev/full")], ids=["stdout", "file"])
def test_a_full_disk_stops_nobody(start: StartWith, flag: tuple[str, ...], tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.sock"
    process = start(
        ">/dev/full", "apps.probe:app", "-p", "0", "--metrics", f"unix:{metrics}", *flag
    ).wait_until_listening()
    ask(process)
    process.wait_for_log("The access log can't be written, .*: No space left on device")
    with Wire.open(str(metrics)) as wire:
        text = wire.get("/metrics").body.decode()
    found = re.search(r'^cppasgi_log_lines_dropped_total\{log="access"\} (\S+)$', text, re.M)
    assert found
    assert float(found[1]) > REQUESTS / 2
    assert process.stop() == 0
    assert left_out(process) == REQUESTS


def test_a_disk_that_was_full_has_whole_lines(server: StartServer, small_disk: Path) -> None:
    other = small_disk / "other"
    other.write_bytes(bytes(48 * 1024))
    log = small_disk / "access.log"
    process = server("apps.probe:app", "--access-log", str(log))
    ask(process, 100)  # more than there is room for
    assert len(log.read_bytes()) % 4096 == 0  # which is within a line
    other.unlink()
    wait_until(lambda: log.read_text().count("\n") == 100)
    assert are_whole(log.read_text())
    assert "left out" not in process.log()

    ask(process)
    process.wait_for_log("The access log can't be written, .*: No space left on device")
    log.rename(small_disk / "access.log.1")
    process.send_signal(signal.SIGUSR1)
    wait_until(log.exists)
    full = (small_disk / "access.log.1").read_text()
    (small_disk / "access.log.1").unlink()
    # What has waited fills the disk again, but for the lines that were left out.
    assert process.get("/last").status_code == 404
    wait_until(lambda: len(log.read_bytes()) > 32 * 1024)
    assert are_whole((full + log.read_text()).rpartition("\n")[0] + "\n")


def test_a_log_that_is_a_fifo_may_lose_its_reader(server: StartServer, pipe: Pipe) -> None:
    pipe.leave()  # there is none when the server starts
    process = server("apps.probe:app", "--access-log", str(pipe.path))
    process.get("/first")
    pipe.come_back()
    wait_until(lambda: '"GET /first" 404' in pipe.read())
    pipe.leave()
    ask(process)
    pipe.come_back()
    process.get("/second")
    wait_until(lambda: '"GET /second" 404' in pipe.read(), 20)
    assert process.stop() == 0


def test_a_reader_that_never_comes_back_stops_nobody(start: StartWith, pipe: Pipe) -> None:
    process = start(f">{pipe.path}", "apps.probe:app", "-p", "0").wait_until_listening()
    pipe.leave()
    ask(process)
    process.wait_for_log("The access log can't be written, .*: nobody reads it")
    assert process.stop() == 0
    assert left_out(process) == REQUESTS


def test_a_standard_error_that_nobody_reads_stops_nobody(
    start: StartWith, pipe: Pipe, tmp_path: Path
) -> None:
    port = free_port()
    metrics = tmp_path / "metrics.sock"
    process = start(
        f"2>{pipe.path}", "apps.failures:app", "-p", str(port), "--metrics", f"unix:{metrics}"
    )
    process.host, process.port = "127.0.0.1", port
    wait_until(lambda: is_listening(port), 20)

    def fail(texts: int) -> None:
        for number in range(texts):
            with process.connect() as wire:
                assert wire.get(f"/each/{number}-{'x' * 4000}").status == 500

    def dropped() -> int:
        with Wire.open(str(metrics)) as wire:
            text = wire.get("/metrics").body.decode()
        found = re.search(r'^cppasgi_log_lines_dropped_total\{log="server"\} (\S+)$', text, re.M)
        assert found
        return int(float(found[1]))

    fail(200)
    wait_until(dropped)
    told = r"Lines of this log left out, as they could not be written: (\d+)"
    wait_until(lambda: re.search(told, pipe.read()), 20)
    found = re.search(told, pipe.text)
    assert found
    assert int(found[1]) == dropped()
    fail(1)
    assert process.stop() == 0
    assert "Exception inside application: 0-x" in pipe.read()[found.end() :]


def is_listening(port: int) -> bool:
    with suppress(OSError), Wire.open(("127.0.0.1", port)):
        return True
    return False
