"""What a stop waits for, and for how long: responses that end, and those that never would."""

from __future__ import annotations

import re
import signal
import time
from contextlib import ExitStack

import pytest
from conftest import StartServer
from server_process import ServerProcess
from wire import Wire

APP = "apps.streams:app"


def begun(process: ServerProcess, path: str, method: str = "GET") -> Wire:
    """A client that has read the begin of its response."""
    wire = process.connect()
    wire.request(path, method, "Content-Length: 0")
    assert wire.head().status == 200
    wire.chunk()
    return wire


def is_complete(wire: Wire) -> bool:
    """Whether the response goes on to its end; False when it is cut."""
    try:
        while wire.chunk():
            pass
    except (EOFError, ConnectionError):
        return False
    return True


def test_event_streams_end_at_once(server: StartServer) -> None:
    process = server(APP)
    with begun(process, "/events") as listening, begun(process, "/deaf-events") as deaf:
        start = time.monotonic()
        process.send_signal()
        assert is_complete(listening)
        assert is_complete(deaf)
        assert process.wait() == 0
        assert time.monotonic() - start < 3
    log = process.log()
    assert "Stopping: 2 event streams\n" in log
    assert "heard http.disconnect" in log
    assert "cleaned up events" in log
    assert "send() raised" in log
    assert "lifespan is over" in log
    assert "ERROR" not in log
    assert "Killed" not in log
    assert process.access_log().count(" 200 ") == 2


def test_event_streams_end_when_a_worker_is_replaced(server: StartServer) -> None:
    process = server(APP, "--workers", "1", "--worker-lifetime", "1000")
    with begun(process, "/events") as wire:
        process.send_signal(signal.SIGHUP)
        assert is_complete(wire)
        process.wait_for_log("has stopped")


def test_event_streams_end_one_after_another(server: StartServer) -> None:
    process = server(APP, "--ws-drain-window", "1")
    with ExitStack() as stack:
        wires = [stack.enter_context(begun(process, "/events")) for _ in range(8)]
        process.send_signal()
        start = time.monotonic()
        times = []
        for wire in wires:
            assert is_complete(wire)
            times.append(time.monotonic() - start)
        assert times[0] < 0.5
        assert 0.6 < times[-1] < 2
        assert process.wait() == 0


def test_event_stream_that_begins_during_the_stop_ends_with_its_first_event(
    server: StartServer,
) -> None:
    process = server(APP)
    with process.connect() as wire:
        wire.request("/late/0.6")
        time.sleep(0.2)
        process.send_signal()
        assert wire.head().status == 200
        assert wire.chunk() == b"data: x\n\n"
        assert is_complete(wire)
        assert process.wait() == 0
    assert "cleaned up late" in process.log()


def test_responses_with_an_end_get_to_it(server: StartServer) -> None:
    """Django listens beside every view, so that listening says nothing about an end."""
    process = server(APP)
    with begun(process, "/download/2") as download, begun(process, "/events/2", "POST") as answer:
        process.send_signal()
        assert is_complete(download)
        assert is_complete(answer)
        assert process.wait() == 0
    assert "Stopping: 2 responses\n" in process.log()


def test_endless_response_has_time_to_clean_up(server: StartServer) -> None:
    process = server(APP, "--graceful-timeout", "1")
    with begun(process, "/endless") as wire, process.connect() as waiting:
        waiting.request("/late/1000")
        time.sleep(0.2)
        start = time.monotonic()
        process.send_signal()
        assert not is_complete(wire)
        assert waiting.response().status == 503
        assert process.wait() == 0
        assert time.monotonic() - start > 1
    log = process.log()
    assert log.index("heard http.disconnect") < log.index("cleaned up endless")
    assert log.index("cleaned up endless") < log.index("lifespan is over")
    assert "Killed 1 pending application instances" in log  # the one that doesn't listen


def test_lifespan_shutdown_has_its_time_before_the_end(server: StartServer) -> None:
    process = server(APP, "--graceful-timeout", "0.5")
    with process.connect() as wire:
        wire.request("/stubborn")
        process.wait_for_log("app: begun")
        assert process.stop() == 0
    assert "lifespan is over" in process.log()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_stop_takes_less_than_nine_seconds_by_default(server: StartServer, workers: str) -> None:
    process = server(APP, "--workers", workers)
    with begun(process, "/endless"), begun(process, "/events"), process.connect() as wire:
        wire.request("/stubborn")
        process.wait_for_log("app: begun")
        start = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - start < 9
    assert process.log().count("lifespan is over") == int(workers)


def test_log_says_at_once_what_is_waited_for(server: StartServer) -> None:
    process = server(APP, "--drain-delay", "0.5", "--graceful-timeout", "1")
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(process.connect().upgraded("/"))
        stack.enter_context(begun(process, "/download/1"))
        process.send_signal()
        process.wait_for_log(r"Stopping in 0\.5 s\n", 0.4)
        process.wait_for_log("Stopping: 1 response, 2 WebSockets\n", 1)
        assert process.wait() == 0


def test_idle_server_says_nothing_of_what_there_is_not(server: StartServer) -> None:
    process = server(APP)
    process.get("/slow/0")
    assert process.stop() == 0
    assert re.search(r"INFO +Stopping\n", process.log())
    assert "Killed" not in process.log()
