"""HTTP when something fails: wrong messages, applications that raise, clients that leave."""

from __future__ import annotations

import re
import time

import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import wait_until
from wire import Wire

# --- wrong use by the application ---

WRONG_CASES = [
    "body-before-start",
    "start-twice",
    "unknown-type",
    "other-protocol",
    "no-type",
    "type-is-bytes",
    "not-a-dict",
    "none",
    "no-status",
    "status-is-str",
    "status-is-float",
    "status-out-of-range",
    "status-1000",
    "name-is-str",
    "value-is-str",
    "value-is-bool",
    "header-of-three",
    "headers-is-int",
    "name-with-space",
    "empty-name",
    "value-with-newline",
    "value-with-nul",
    "body-is-str",
    "too-long",
]


@pytest.mark.parametrize("case", WRONG_CASES)
def test_wrong_message_raises_in_send(probe: ServerProcess, key: str, case: str) -> None:
    with probe.connect() as wire:
        wire.request(f"/wrong/{case}/{key}")
        result = probe.report(key)
        assert isinstance(result, dict)
        assert result["raised"] is not None, "send() took it"
        assert "Exception" in result["bases"]
        assert "OSError" not in result["bases"]
        assert result["text"], "the exception says nothing"
        # Then the application returns: a 500, or a cut once something has been sent.
        data = wire.read_to_end()
        assert data == b"" or data.startswith((b"HTTP/1.1 500 ", b"HTTP/1.1 200 "))
        assert b"\r\nx: y" not in data


def test_length_that_is_no_number_never_reaches_the_wire(wire: Wire) -> None:
    response = wire.get("/set-headers?content-length=abc")
    assert response.header("content-length") in ("4", str(len(response.body)))


def test_application_may_recover_from_a_wrong_message(wire: Wire) -> None:
    assert wire.get("/recover").body == b"recovered"
    assert wire.get("/").body == b"hello"


def test_what_frameworks_send_besides_is_taken(wire: Wire) -> None:
    response = wire.get("/bytes-likes")
    assert (response.header("x-list"), response.header("x-tuple")) == ("1", "2")
    assert response.body == b"array view"


def test_content_shorter_than_announced_is_cut(wire: Wire) -> None:
    """The client must notice: fewer bytes than announced, and the end."""
    wire.request("/too-short")
    data = wire.read_to_end()
    head, _, content = data.partition(b"\r\n\r\n")
    assert not data or b"content-length: 10" in head.lower()
    assert len(content) < 10


def test_late_send_is_ignored(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        assert wire.get(f"/late-send/{key}").body == b"complete"
        assert wire.get("/").body == b"hello"
        assert probe.report(key) == [None, None, None]
        assert wire.is_quiet(0.1)


# --- applications that fail ---


def test_exception_before_the_response_is_500_at_once(server: StartServer) -> None:
    process = server()
    with process.connect() as wire:
        begun = time.monotonic()
        response = wire.get("/raise-before")
        assert response.status == 500
        assert time.monotonic() - begun < 0.5
        assert b"broken" not in response.body
        assert "LookupError" not in str(response.headers)
    wait_until(lambda: "broken on purpose, before" in process.log())
    assert len(re.findall(r" ERROR .* broken on purpose, before", process.log())) == 1
    assert "LookupError: broken on purpose, before the response" in process.log()


def test_exception_after_start_alone_is_500(wire: Wire) -> None:
    response = wire.get("/raise-after-start")
    assert response.status == 500


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_exception_within_the_content_cuts_the_connection(
    probe: ServerProcess, framing: str
) -> None:
    log = len(probe.log())
    with probe.connect() as wire:
        wire.request(f"/raise-in-body/{framing}")
        data = wire.read_to_end()  # Nothing at all, when the reset overtakes what was sent.
        assert not data or data.startswith(b"HTTP/1.1 200 OK\r\n")
        assert data.partition(b"\r\n\r\n")[2] in (b"some", b"4\r\nsome\r\n", b"")
    wait_until(lambda: "broken on purpose, within" in probe.log()[log:])


def test_exception_after_the_response_is_logged_only(probe: ServerProcess) -> None:
    log = len(probe.log())
    with probe.connect() as wire:
        assert wire.get("/raise-after-end").body == b"complete"
        assert wire.get("/").body == b"hello"
    wait_until(lambda: "broken on purpose, after the response" in probe.log()[log:])


def test_return_without_a_response_is_500(server: StartServer) -> None:
    # A server of its own: equal lines are written ten times only.
    process = server("apps.probe:app")
    assert process.get("/return-at-once").status_code == 500
    process.wait_for_log(" ERROR ")


def test_return_within_the_content_cuts_the_connection(wire: Wire) -> None:
    wire.request("/return-in-body")
    assert b"\r\n0\r\n\r\n" not in wire.read_to_end()


def test_work_after_the_response_goes_on(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        begun = time.monotonic()
        assert wire.get(f"/background/{key}").body == b"accepted"
        assert time.monotonic() - begun < 0.25
        assert wire.get("/").body == b"hello"
    assert probe.report(key) == "done"


# --- clients that leave ---


def test_receive_after_the_response_is_a_disconnect(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        assert wire.get(f"/receive-after-end/{key}").body == b"complete"
        assert probe.report(key) == ["http.request", "http.disconnect", "http.disconnect"]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_that_leaves_is_a_disconnect(probe: ServerProcess, key: str, how: str) -> None:
    wire = probe.connect()
    wire.request(f"/watch-disconnect/{key}")
    probe.report(f"{key}-begun")
    getattr(wire, how)()
    # Who closes may only have half-closed, for 2 s (test_half_close.py).
    assert probe.report(key, timeout=5) == ["http.request", "http.disconnect"]


def test_client_that_vanishes_within_its_content(server: StartServer, key: str) -> None:
    process = server()
    wire = process.connect()
    wire.request(f"/digest/{key}", "POST", "Content-Length: 100", body=b"x" * 40)
    time.sleep(0.1)
    wire.close()
    assert process.report(key, timeout=2) == {"disconnected after": 40}
    assert "Traceback" not in process.log()


def test_send_to_a_client_that_left_raises_an_os_error(server: StartServer, key: str) -> None:
    process = server()
    wire = process.connect()
    wire.request(f"/send-to-gone/{key}")
    time.sleep(0.1)
    wire.close()
    results = process.report(key)
    assert isinstance(results, list)
    head, *content = results
    assert head["raised"] is None  # of a response that might have ended with its next message
    for result in content:
        assert result["raised"] == "ClientDisconnected"
        assert "OSError" in result["bases"]
    assert "Traceback" not in process.log()


def test_escaped_disconnect_is_no_failure(server: StartServer, key: str) -> None:
    process = server()
    wire = process.connect()
    wire.request(f"/escape-to-gone/{key}")
    wire.head()
    wire.reset()
    assert process.report(key, timeout=2) == "left"
    time.sleep(0.1)
    assert "Traceback" not in process.log()
    assert " ERROR " not in process.log()


def test_client_that_left_costs_no_cpu(server: StartServer) -> None:
    process = server("apps.probe:app")
    process.get("/")
    wires = [process.connect() for _ in range(10)]
    for number, wire in enumerate(wires):
        wire.request("/sleep/30" if number % 2 else "/started-then-sleep/30")
    time.sleep(0.3)
    for number, wire in enumerate(wires):
        wire.close() if number % 3 else wire.reset()
    time.sleep(0.2)
    before = process.cpu_seconds()
    time.sleep(1)
    assert process.cpu_seconds() - before < 0.05


def test_idle_connections_cost_no_cpu(server: StartServer) -> None:
    process = server("apps.probe:app")
    wires = [process.connect() for _ in range(50)]
    for wire in wires[:25]:
        wire.get("/")
    time.sleep(0.2)
    before = process.cpu_seconds()
    time.sleep(1)
    assert process.cpu_seconds() - before < 0.05
    for wire in wires:
        wire.close()
