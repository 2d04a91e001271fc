"""The ASGI lifespan protocol 2.0, seen from outside."""

from __future__ import annotations

import re
import socket
import time

import pytest
from conftest import StartServer


def test_startup_comes_before_the_first_request_and_shutdown_after_the_last(
    server: StartServer,
) -> None:
    process = server("apps.lifespans:good")
    assert process.get("/one").status_code == 200
    assert process.stop() == 0
    notes = re.findall(r"^app: (.*)$", process.log(), re.MULTILINE)
    assert notes[1:] == [
        "startup begun",
        "startup done",
        "request /one",
        "shutdown begun",
        "shutdown done",
        "end of lifespan",
    ]
    expected = "lifespan ['asgi', 'state', 'type'] {'version': '3.0', 'spec_version': '2.0'}"
    assert notes[0] == expected


def test_nothing_is_accepted_during_startup(server: StartServer) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # Bound, not listening: connecting is refused.
        port = listener.getsockname()[1]
        fd = listener.fileno()
        process = server("apps.lifespans:good", "--fd", str(fd), pass_fds=(fd,), listen=False)
        process.wait_for_log("app: startup begun")
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) != 0
        process.wait_until_listening()
        assert process.get("/").status_code == 200


def test_state_is_a_shallow_copy_for_each_request(server: StartServer) -> None:
    process = server("apps.lifespans:good")
    assert process.get("/one").text == "{'answer': 42, 'shared': []}"
    assert process.get("/two").text == "{'answer': 42, 'shared': ['/one']}"


@pytest.mark.parametrize("app", ["absent", "returning"])
def test_application_without_lifespan_is_served(server: StartServer, app: str) -> None:
    process = server(f"apps.lifespans:{app}")
    assert process.get("/").status_code == 200
    assert "WARNING" not in process.log()
    assert "ERROR" not in process.log()
    assert "Traceback" not in process.log()
    assert process.stop() == 0


def test_application_without_lifespan_is_named_when_debugging(server: StartServer) -> None:
    process = server("apps.lifespans:absent", "-v", "2")
    assert "DEBUG    The application has no lifespan: ValueError: No application" in process.log()


def test_auto_goes_on_when_startup_raises_but_says_so(server: StartServer) -> None:
    process = server("apps.lifespans:raising_late")
    assert process.get("/").status_code == 200
    assert "WARNING  Serving without lifespan: RuntimeError: database is down" in process.log()
    assert process.stop() == 0


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        ("absent", "ValueError: No application configured for scope type 'lifespan'"),
        ("returning", "the application returned before startup.complete"),
        ("raising_late", "RuntimeError: database is down"),
        ("failing", "database is down"),
    ],
)
def test_on_makes_it_a_failure(server: StartServer, app: str, reason: str) -> None:
    process = server(f"apps.lifespans:{app}", "--lifespan", "on", listen=False)
    assert process.wait() == 3
    assert process.log().splitlines()[-1] == f"cppasgi: Application startup failed: {reason}"
    assert "Traceback" not in process.log()
    assert "Listening" not in process.log()


def test_startup_failed_ends_the_process_in_auto_too(server: StartServer) -> None:
    process = server("apps.lifespans:failing", listen=False)
    assert process.wait() == 3
    expected = "cppasgi: Application startup failed: database is down"
    assert process.log().splitlines()[-1] == expected


def test_startup_failed_without_a_message(server: StartServer) -> None:
    process = server("apps.lifespans:failing_silently", listen=False)
    assert process.wait() == 3
    assert "Application startup failed: no reason given" in process.log()


def test_off_never_calls_the_application(server: StartServer) -> None:
    process = server("apps.lifespans:good", "--lifespan", "off")
    assert process.get("/").text == "None"
    assert process.stop() == 0
    assert "startup" not in process.log()
    assert "shutdown" not in process.log()


def test_lifespan_may_end_after_startup(server: StartServer) -> None:
    process = server("apps.lifespans:complete_and_return")
    assert process.get("/").text == "{}"
    assert process.stop() == 0
    assert "ERROR" not in process.log()


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        ("failing_shutdown", "could not flush"),
        ("raising_shutdown", "RuntimeError: could not flush"),
    ],
)
def test_failing_shutdown_is_status_3(server: StartServer, app: str, reason: str) -> None:
    process = server(f"apps.lifespans:{app}")
    assert process.stop() == 3
    assert process.log().splitlines()[-1] == f"cppasgi: Application shutdown failed: {reason}"


def test_hanging_shutdown_is_given_up(server: StartServer) -> None:
    process = server("apps.lifespans:hanging_shutdown", "--graceful-timeout", "1")
    begun = time.monotonic()
    assert process.stop() == 3
    assert 2.2 < time.monotonic() - begun < 4.5
    assert "Application shutdown failed: no answer within" in process.log()


def test_blocking_shutdown_is_ended_by_the_deadline(server: StartServer) -> None:
    process = server("apps.lifespans:blocking_shutdown", "--graceful-timeout", "1")
    begun = time.monotonic()
    assert process.stop() == 1
    assert 2.9 < time.monotonic() - begun < 5
    assert "blocking_shutdown" in process.log()  # The stack says where.


def test_signal_during_startup_stops_the_server(server: StartServer) -> None:
    process = server("apps.lifespans:hanging_startup", listen=False)
    process.wait_for_log("app: startup begun")
    assert process.stop() == 0
    assert "app: startup left" in process.log()
    assert "Listening" not in process.log()
    assert "Traceback" not in process.log()
