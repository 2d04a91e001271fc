"""`manage.py runserver` with its auto-reloader ends or reloads: the application gets to clean up.

Who ends it is Django's machinery in the main thread, while the server is in another.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from ports import free_port
from runserver_project import PROLOGUE, start_runserver
from wire import CLOSE, TEXT, Wire

pytestmark = [pytest.mark.python_side, pytest.mark.timeout(120)]

START_SECONDS = 60
STOP_SECONDS = 15  # on a busy machine; 3 s by the clock of the process
SITE = f"""
import asyncio, time
from asgiref.sync import sync_to_async
from django.core.signals import request_finished
{PROLOGUE}"""
SITE += """
def note(text):
    with open("notes", "a") as notes:
        notes.write(text + "\\n")

class Consumer(AsyncWebsocketConsumer):
    async def disconnect(self, code):
        await sync_to_async(note)(f"disconnect {code}")

class Response(StreamingHttpResponse):
    def close(self):
        super().close()
        note("close")

async def events(request):
    async def generate():
        try:
            while True:
                yield b"data: x\\n\\n"
                await asyncio.sleep(0.01)
        finally:
            await sync_to_async(note)("finally")
    return Response(generate(), content_type="text/event-stream")

async def working(request):
    note("asked")
    await asyncio.sleep(0.1)
    return HttpResponse("answered")

async def blocked(request):
    note("asked")
    time.sleep(60)

async def lifespan(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    note("shutdown")
    await send({"type": "lifespan.shutdown.complete"})

request_finished.connect(lambda **_: note("request_finished"), weak=False)
urlpatterns = [
    path("", lambda request: HttpResponse("hello")), path("events", events),
    path("working", working), path("blocked", blocked),
]
application = ProtocolTypeRouter({
    "http": get_asgi_application(), "websocket": URLRouter([path("ws", Consumer.as_asgi())]),
    "lifespan": lifespan,
})
"""


class Runserver:
    """The command in a process group of its own, as a terminal starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        (folder / "site_.py").write_text(SITE)
        self.process = start_runserver(folder, self.port)
        self.wait_until(self.serves, START_SECONDS)

    def serves(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}/", trust_env=False).text == "hello"
        return False

    def wait_until(self, is_so: Callable[[], bool], seconds: float = STOP_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, (self.notes(), self.log())
            time.sleep(0.02)

    def child(self) -> int:
        """The process that serves."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def notes(self) -> list[str]:
        notes = self.folder / "notes"
        return notes.read_text().splitlines() if notes.exists() else []

    def break_code(self) -> None:
        """Makes Django load the code again, which fails; returns once the server stops."""
        site = self.folder / "site_.py"
        site.write_text(SITE + "\nraise ValueError('broken')\n")
        with suppress(ConnectionError):
            while True:  # a change before Django's first look at the file would never be noticed
                Wire.open(("127.0.0.1", self.port)).close()
                site.touch()
                time.sleep(0.02)


@pytest.fixture
def runserver(tmp_path: Path) -> Iterator[Runserver]:
    runserver = Runserver(tmp_path)
    yield runserver
    with suppress(ProcessLookupError):
        os.killpg(runserver.process.pid, signal.SIGKILL)
    runserver.process.wait(10)


def to_group(signum: signal.Signals) -> Callable[[Runserver], None]:
    return lambda runserver: os.killpg(runserver.process.pid, signum)


def to_parent(signum: signal.Signals) -> Callable[[Runserver], None]:
    return lambda runserver: runserver.process.send_signal(signum)


STOPS = {
    "a terminal's Ctrl-C": to_group(signal.SIGINT),
    "SIGINT to the process above": to_parent(signal.SIGINT),
    "SIGTERM to both": to_group(signal.SIGTERM),
    "SIGTERM to the process above": to_parent(signal.SIGTERM),
    "SIGTERM to the process below": lambda runserver: os.kill(runserver.child(), signal.SIGTERM),
}
ENDS = {**STOPS, "a reload": Runserver.break_code}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_the_application_cleans_up(runserver: Runserver, end: Callable[[Runserver], None]) -> None:
    address = ("127.0.0.1", runserver.port)
    with Wire.open(address) as stream, Wire.open(address) as wire, Wire.open(address) as view:
        stream.request("/events")
        assert stream.head().status == 200
        stream.chunk()
        wire.upgraded("/ws").send_frame(TEXT, "hello")
        view.request("/working")
        runserver.wait_until(lambda: "asked" in runserver.notes())
        (runserver.folder / "notes").unlink()
        end(runserver)
        opcode, payload = wire.read_frame()
        assert (opcode, payload[:2]) == (CLOSE, b"\x03\xe9")
        wire.send_frame(CLOSE, payload)
        # Who leaves in the middle of a clean-up cancels what it waits for.
        for each in (stream, wire, view):
            each.read_to_end()
    runserver.wait_until(lambda: "shutdown" in runserver.notes())
    notes = runserver.notes()
    assert notes[-1] == "shutdown"
    # 1001, or 1006 where a busy machine brings the client's close frame after half a second.
    ends = ["close", "disconnect", "finally", "request_finished", "request_finished"]
    assert sorted(note.split()[0] for note in notes[:-1]) == ends
    if end is not Runserver.break_code:
        assert runserver.process.wait(STOP_SECONDS) == 0
    assert "Traceback" not in runserver.log().replace("ValueError: broken", "")


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS.keys())
def test_blocked_server_ends_all_the_same(
    runserver: Runserver, stop: Callable[[Runserver], None]
) -> None:
    with Wire.open(("127.0.0.1", runserver.port)) as wire:
        wire.request("/blocked")
        runserver.wait_until(lambda: "asked" in runserver.notes())
        child = runserver.child()
        stop(runserver)
        assert runserver.process.wait(STOP_SECONDS) == 0
    assert not Path(f"/proc/{child}").exists()


def test_without_a_server_it_ends_at_once(runserver: Runserver) -> None:
    runserver.break_code()  # Django waits until it is mended
    runserver.wait_until(lambda: "ValueError: broken" in runserver.log(), START_SECONDS)
    to_group(signal.SIGINT)(runserver)
    assert runserver.process.wait(STOP_SECONDS) == 0
