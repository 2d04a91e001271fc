"""New workers in the place of old ones, under load: nothing is lost, nobody is refused.

`TEST_SOAK_SECONDS` is how long the load lasts (2 by default; 60 is the proof that counts).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
import websockets
from conftest import StartServer
from processes import descriptors_of, is_alive, workers_of
from server_process import ServerProcess
from test_workers import APP
from waiting import wait_until
from wire import TEXT

pytestmark = pytest.mark.python_side

SECONDS = float(os.environ.get("TEST_SOAK_SECONDS", "2"))
CLIENTS = 500 if SECONDS > 10 else 20
PERIOD = 5.0 if SECONDS > 10 else 0.7


class Chatter:
    """WebSocket clients that talk, and come back when they are closed.

    Attributes:
        closes: how often each close code was seen; None for a connection that was cut.
        lost: messages sent before the close frame came whose echo never came, though the
            application had answered the one after it.
        refused: connections that could not be opened.
    """

    def __init__(self, url: str, clients: int) -> None:
        self.closes: Counter[int | None] = Counter()
        self.refused: list[str] = []
        self.out_of_order = 0
        self.echoes = 0
        self._url = url
        self._clients = clients
        self._over = False

    async def run(self, seconds: float) -> None:
        clients = [asyncio.create_task(self._talk()) for _ in range(self._clients)]
        await asyncio.sleep(seconds)
        self._over = True
        await asyncio.gather(*clients)

    async def _talk(self) -> None:
        while not self._over:
            try:
                socket = await websockets.connect(self._url, compression=None, open_timeout=10)
            except (OSError, websockets.InvalidMessage, TimeoutError) as error:
                self.refused.append(repr(error))
                await asyncio.sleep(0.1)
                continue
            await self._talk_on(socket)

    async def _talk_on(self, socket: websockets.ClientConnection) -> None:
        try:
            await socket.recv()
            number = 0
            while not self._over:
                await socket.send(str(number))
                if await socket.recv() != str(number):
                    self.out_of_order += 1
                self.echoes += 1
                number += 1
                await asyncio.sleep(random.uniform(0, 0.05))
            await socket.close()
        except websockets.ConnectionClosed as error:
            self.closes[error.rcvd.code if error.rcvd else None] += 1


def wrk(process: ServerProcess, seconds: float) -> subprocess.Popen[str]:
    """HTTP requests over kept-alive connections, one after another on each."""
    return subprocess.Popen(
        ["wrk", "-t1", "-c16", f"-d{seconds:.0f}s", process.url + "/"],
        stdout=subprocess.PIPE,
        text=True,
    )


def requests_of(report: str) -> int:
    """How many requests wrk made; all of them succeeded."""
    assert "Socket errors" not in report, report
    assert "Non-2xx" not in report, report
    found = re.search(r"(\d+) requests in", report)
    assert found is not None, report
    return int(found[1])


@pytest.mark.timeout(SECONDS + 60)
def test_replacing_loses_nothing(server: StartServer) -> None:
    process = server(APP, "--workers", "2", "--ws-drain-window", "0.5", "-v", "1")
    chatter = Chatter(process.ws_url, CLIENTS)

    async def run() -> None:
        talking = asyncio.create_task(chatter.run(SECONDS))
        end = time.monotonic() + SECONDS - PERIOD / 2
        while time.monotonic() < end:
            await asyncio.sleep(PERIOD)
            process.send_signal(signal.SIGHUP)
        await talking

    with wrk(process, max(SECONDS, 1)) as load:
        asyncio.run(run())
        report = load.communicate()[0]
    assert requests_of(report) > 100
    assert chatter.refused == []
    assert chatter.out_of_order == 0
    assert chatter.echoes > CLIENTS
    assert set(chatter.closes) == {1012}
    assert process.stop() == 0
    assert "Traceback" not in process.log()
    replaced = process.log().count("has stopped") - 2
    print(f"{requests_of(report)} requests, {chatter.echoes} echoes, {chatter.closes}, {replaced}")
    assert replaced >= 2


@pytest.mark.timeout(SECONDS + 60)
def test_killing_workers_harms_only_their_clients(server: StartServer) -> None:
    process = server(APP, "--workers", "2")
    descriptors = descriptors_of(process.process.pid)
    end = time.monotonic() + SECONDS
    killed = set()
    while time.monotonic() < end:
        wait_until(lambda: len(workers_of(process)) == 2, 40)
        wire = process.connect().upgraded("/")
        mine = int(wire.read_frame()[1])
        victim = random.choice([pid for pid in workers_of(process) if pid != mine])
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
        for number in range(10):
            wire.send_frame(TEXT, str(number))
            assert wire.read_frame() == (TEXT, str(number).encode())
            time.sleep(0.05)
        wire.close()
    wait_until(lambda: len(workers_of(process)) == 2, 40)
    assert not any(map(is_alive, killed))
    wait_until(lambda: descriptors_of(process.process.pid) == descriptors)
    assert process.stop() == 0
    print(f"{len(killed)} workers killed")


@pytest.mark.skipif(SECONDS < 60, reason="takes TEST_SOAK_SECONDS, of which it wants 60")
@pytest.mark.timeout(SECONDS + 30)
def test_idle_socket_whose_client_answers_pings_stays(server: StartServer) -> None:
    """X4: longer than the 60 s after which nginx by default cuts a quiet connection."""
    process = server(APP)

    async def stay_idle() -> None:
        async with websockets.connect(process.ws_url, ping_interval=None) as socket:
            await socket.recv()
            await asyncio.sleep(SECONDS + 5)
            await socket.send("still here")
            assert await socket.recv() == "still here"

    asyncio.run(stay_idle())


def test_replacement_that_cannot_start_leaves_the_worker(
    server: StartServer, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    process = server(APP, "--workers", "2", "--lifespan", "on", env={"TEST_BROKEN": str(broken)})
    before = workers_of(process)
    broken.touch()
    process.send_signal(signal.SIGHUP)
    process.wait_for_log("Worker 1 stays, as its successor can't start")
    assert process.get("/").status_code == 200
    wait_until(lambda: workers_of(process) == before)
    broken.unlink()
    process.send_signal(signal.SIGHUP)
    process.wait_for_log(r"(?s)(has stopped.*){2}")
    assert set(workers_of(process)).isdisjoint(before)
    assert process.stop() == 0


def test_requests_in_flight_finish_in_the_old_worker(server: StartServer) -> None:
    process = server(APP, "--workers", "1", "--worker-lifetime", "1000")
    old = workers_of(process)[0]
    with process.connect() as idle, process.connect() as wire:
        assert idle.get("/").status == 200
        wire.request("/sleep/1")
        time.sleep(0.1)
        process.send_signal(signal.SIGHUP)
        process.wait_for_log(r"(?s)is ready.*is ready")
        # Its client may just be sending a request, so it gets one more answer.
        time.sleep(0.2)
        response = idle.get("/")
        assert int(response.body) == old
        assert response.header("connection") == "close"
        assert int(wire.response().body) == old
    process.wait_for_log(rf"process {old}\) has stopped")


def test_websockets_are_closed_one_after_another(server: StartServer) -> None:
    process = server(APP, "--workers", "1", "--worker-lifetime", "1000", "--ws-drain-window", "1")
    wires = [process.connect().upgraded("/") for _ in range(10)]
    for wire in wires:
        wire.read_frame()
    process.send_signal(signal.SIGHUP)
    process.wait_for_log(r"(?s)is ready.*is ready")
    begun = time.monotonic()
    times = []
    for wire in wires:
        assert wire.read_close() == 1012
        times.append(time.monotonic() - begun)
        wire.close()
    assert times[0] < 0.3
    assert 0.6 < times[-1] < 1.5
    assert sum(later - earlier > 0.05 for earlier, later in itertools.pairwise(times)) > 4


def test_reload_replaces_workers_when_a_file_changes(
    server_command: list[str], tmp_path: Path
) -> None:
    module = tmp_path / "watched.py"

    def write(body: str) -> None:
        module.write_text(
            "async def app(scope, receive, send):\n"
            "    assert scope['type'] == 'http'\n"
            "    await send({'type': 'http.response.start', 'status': 200})\n"
            f"    await send({{'type': 'http.response.body', 'body': b'{body}'}})\n"
        )

    write("one")
    folder = tmp_path / "logs"
    folder.mkdir()
    process = ServerProcess(
        server_command, "watched:app", ["--reload", "-p", "0"], folder, cwd=tmp_path
    )
    try:
        process.wait_until_listening()
        assert process.get("/").text == "one"
        time.sleep(0.3)
        write("second")  # as long, and written in the same second, Python would take it for the old
        wait_until(lambda: process.get("/").text == "second", 10)
        module.write_text("this is no Python")
        process.wait_for_log("Worker 1 stays, as its successor can't start")
        assert process.get("/").text == "second"
        write("three")
        wait_until(lambda: process.get("/").text == "three", 10)
        assert process.stop() == 0
    finally:
        process.kill()
