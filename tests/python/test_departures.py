"""Clients that leave: who hears of it, what `send()` does then, and that nothing raised is lost.

docs/design/0004 says why. Frameworks and databases as a whole are tested in tests/moments.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import pytest
from conftest import StartServer, _starter
from server_process import ServerProcess
from waiting import wait_until
from wire import CLOSE, TEXT, Wire, close_payload

APP = "apps.departures:app"
FLAGS = ("-v", "2", "--timeout-after-disconnect", "0.5")
LEAVE: dict[str, Callable[[Wire], None]] = {"close": Wire.close, "reset": Wire.reset}

leaves = pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE)


@pytest.fixture(scope="module")
def site(
    server_command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server that tests share, patient for half a second."""
    started: list[ServerProcess] = []
    start = _starter(server_command, tmp_path_factory.mktemp("departures"), started)
    yield start(APP, *FLAGS)
    for process in started:
        process.kill()


def raised(report: object) -> str | None:
    assert isinstance(report, dict), report
    name = report["raised"]
    assert name is None or "OSError" in report["bases"]
    return str(name) if name else None


# --- HTTP ---


@leaves
def test_who_listens_hears_first_and_what_is_sent_is_dropped(
    site: ServerProcess, key: str, leave: Callable[[Wire], None]
) -> None:
    with Wire.open((site.host, site.port), receive_buffer=4096) as wire:
        wire.request(f"/stopped-by-listener/{key}")
        wire.read(1000)
        leave(wire)
        assert raised(site.report(key)) is None


@leaves
def test_listener_that_starts_late_counts_as_one(
    site: ServerProcess, key: str, leave: Callable[[Wire], None]
) -> None:
    with site.connect() as wire:
        wire.request(f"/late-listener/{key}")
        time.sleep(0.1)
        leave(wire)
        report = site.report(key)
    assert isinstance(report, list)
    assert [raised(report[0]), raised(report[1]), report[2]] == [None, None, "http.disconnect"]


@leaves
def test_without_a_listener_send_raises_each_time(
    site: ServerProcess, key: str, leave: Callable[[Wire], None]
) -> None:
    with site.connect() as wire:
        wire.request(f"/alone/{key}")
        wire.head()
        leave(wire)
        report = site.report(key)
    assert isinstance(report, list)
    assert [raised(each) for each in report] == ["ClientDisconnected"] * 2


def test_django_4_may_send_on_for_a_while_though_it_does_not_listen(
    server: StartServer, key: str
) -> None:
    """It cleans up only after the last part; tests/moments shows that, run by scripts/versions."""
    process = server("apps.departures_django4:app", "--timeout-after-disconnect", "0.5")
    with process.connect() as wire:
        wire.request(f"/alone/{key}")
        wire.head()
        wire.reset()
        left = time.monotonic()
        report = process.report(key)
    assert time.monotonic() - left >= 0.5
    assert isinstance(report, list)
    assert {raised(each) for each in report} == {"ClientDisconnected"}
    process.wait_for_log(f"GET /alone/{key} goes on sending")


@leaves
@pytest.mark.parametrize("name", ["whole", "announced"])
def test_without_a_listener_a_response_with_an_end_is_dropped(
    site: ServerProcess, key: str, name: str, leave: Callable[[Wire], None]
) -> None:
    """What comes after it runs: a commit, a background task, the removal of a file."""
    with Wire.open((site.host, site.port), receive_buffer=4096) as wire:
        wire.request(f"/{name}/{key}")
        if name == "announced":
            wire.read(1000)
        else:
            time.sleep(0.1)
        leave(wire)
        report = site.report(key)
    assert isinstance(report, list)
    assert {raised(each) for each in report} == {None}


@pytest.mark.parametrize("name", ["endless", "announced-endless"])
def test_endless_sender_is_stopped_and_named(site: ServerProcess, key: str, name: str) -> None:
    """One that listens beside, and one whose length is known: no excuse for ever."""
    with site.connect() as wire:
        wire.request(f"/{name}/{key}")
        wire.head()
        wire.reset()
        report = site.report(key)
    assert raised(report) == "ClientDisconnected"
    assert isinstance(report, dict)
    assert 0.5 <= report["after"] < 3
    line = site.wait_for_log(f"GET /{name}/{key} goes on sending")
    assert site.log().count(line[0]) == 1


def test_endless_sender_goes_on_if_so_asked(server: StartServer, key: str) -> None:
    site = server(APP, "--timeout-after-disconnect", "0")
    with site.connect() as wire:
        wire.request(f"/endless/{key}")
        wire.head()
        wire.reset()
        time.sleep(1)
    assert site.get(f"/report/{key}").status_code == 404
    assert "goes on sending" not in site.log()


# --- tasks left in receive() ---


def test_task_left_in_receive_hears_of_the_end(site: ServerProcess, key: str) -> None:
    before = int(site.get("/tasks").text)
    for number in range(50):
        assert site.get(f"/left-behind/{key}-http{number}").text == "done"
        with site.connect() as wire:
            wire.upgraded(f"/left-behind/{key}-ws{number}")
            assert wire.read_close() == 1000
        assert site.report(f"{key}-http{number}") == "http.disconnect"
        assert site.report(f"{key}-ws{number}") == "websocket.disconnect"
    wait_until(lambda: int(site.get("/tasks").text) == before)


def test_receive_again_and_again_leaves_others_their_turn(site: ServerProcess, key: str) -> None:
    with site.connect() as wire:
        wire.upgraded(f"/receives-for-ever/{key}")
        wire.send_frame(CLOSE, close_payload(1000))
        wire.read_close()
    for _ in range(3):
        assert site.get(f"/ask/{key}").text == "answered"
    assert site.report(key) == "over"


# --- WebSocket ---


@pytest.mark.parametrize("name", ["slow", "slow-sync"])
@leaves
def test_consumer_is_told_that_its_client_left_while_connecting(
    server: StartServer, key: str, name: str, leave: Callable[[Wire], None]
) -> None:
    site = server(APP, *FLAGS)
    with site.connect() as wire:
        wire.request(f"/{name}/{key}", "GET", *handshake())
        wait_until(lambda: site.get(f"/report/{key}").status_code == 200)
        leave(wire)
    expect(site, key, ["connect", "connected", "disconnect"])
    assert "Traceback" not in site.log()


@pytest.mark.parametrize("name", ["slow", "slow-sync"])
def test_consumer_is_told_that_its_handshake_took_too_long(
    server: StartServer, key: str, name: str
) -> None:
    site = server(APP, "--websocket_connect_timeout", "0.2")
    with site.connect() as wire:
        assert wire.upgrade(f"/{name}/{key}").status == 503
    expect(site, key, ["connect", "connected", "disconnect"])
    assert "Traceback" not in site.log()


@pytest.mark.parametrize("name", ["tokens", "tokens-sync"])
@leaves
def test_consumer_finishes_its_answer_when_its_client_left(
    server: StartServer, key: str, name: str, leave: Callable[[Wire], None]
) -> None:
    site = server(APP)
    with site.connect() as wire:
        wire.upgraded(f"/{name}/{key}")
        wire.send_frame(TEXT, "ask")
        wire.read_frame()
        leave(wire)
    expect(site, key, ["saved", "disconnect"])
    assert after_start(site) == ""


def test_endless_consumer_is_stopped_and_named(site: ServerProcess, key: str) -> None:
    with site.connect() as wire:
        wire.upgraded(f"/endless/{key}")
        wire.send_frame(TEXT, "ask")
        wire.read_frame()
        wire.reset()
        seconds = site.report(key)
    assert isinstance(seconds, float)
    assert 0.5 <= seconds < 3
    site.wait_for_log(rf"/endless/{key} \(Endless\) goes on sending")


def after_start(site: ServerProcess) -> str:
    """What the log says after the start."""
    return site.log().rpartition("Listening on")[2].partition("\n")[2]


def expect(site: ServerProcess, key: str, events: list[str]) -> None:
    """Waits for these events of a consumer, and that no others follow."""
    wait_until(lambda: site.report(key) == events, timeout=10)
    time.sleep(0.1)
    assert site.report(key) == events


def handshake() -> list[str]:
    return [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]


# --- what is logged ---


@pytest.mark.parametrize(
    ("name", "level", "text"),
    [
        ("fails-in-finally", "ERROR", "Exception inside application: '{key}'"),
        ("escapes", "DEBUG", "send() raised as its client has left"),
        ("translates", "DEBUG", "send() raised as its client has left"),
        ("in-group", "DEBUG", "send() raised as its client has left"),
        ("in-group-with-another", "ERROR", "Exception inside application: unhandled errors in"),
    ],
)
def test_what_ends_an_application_whose_client_left_is_logged(
    site: ServerProcess, key: str, name: str, level: str, text: str
) -> None:
    if name.startswith("in-group") and sys.version_info < (3, 11):
        pytest.skip("task groups are of Python 3.11")
    log = len(site.log())
    with site.connect() as wire:
        wire.request(f"/{name}/{key}")
        wire.head()
        wire.reset()
    wait_until(lambda: text.format(key=key) in site.log()[log:])
    (line,) = [line for line in site.log()[log:].splitlines() if text.format(key=key) in line]
    assert f" {level} " in line
    assert "Traceback" in site.log()[log:]


def test_departures_are_no_lines_by_default(server: StartServer, key: str) -> None:
    site = server(APP)
    for name in ("escapes", "translates"):
        with site.connect() as wire:
            wire.request(f"/{name}/{key}")
            wire.head()
            wire.reset()
    time.sleep(0.3)
    assert after_start(site) == ""


def test_cancellation_that_is_not_the_servers_is_logged(site: ServerProcess, key: str) -> None:
    log = len(site.log())
    with site.connect() as wire:
        assert wire.get(f"/cancels-itself/{key}").status == 500
    wait_until(lambda: "was cancelled, but not by the server" in site.log()[log:])
